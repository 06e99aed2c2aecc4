use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::backend::s3::{AddressingStyle, CredentialSource, S3, S3Options};
use crate::backend::{Backend, Guarantee};
use crate::format::object::Area;

/// Makes a bucket whose server says of each list that it goes on, from the place that `token` gives.
fn endless_bucket(token: impl Fn(usize) -> String + Send + 'static, has_names: bool) -> S3 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let key = format!("snapshots/{}", "7".repeat(64));
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let object = format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>");
            let page = format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{}\
                 </NextContinuationToken>{}</ListBucketResult>",
                token(number),
                if has_names { &object } else { "" }
            );
            answer(stream.expect("a connection"), &page);
        }
    });
    let command = "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\"}'";
    S3::new(S3Options {
        endpoint: Some(endpoint),
        region: Some("here".into()),
        style: AddressingStyle::Path,
        credentials: CredentialSource::Command(command.to_owned().into()),
        create_if_absent: Guarantee::Kept,
        ..S3Options::new("bucket", "")
    })
}

fn answer(mut stream: TcpStream, page: &str) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        request.push(byte[0]);
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n";
    let whole = format!("{head}Content-Length: {}\r\n\r\n{page}", page.len());
    stream.write_all(whole.as_bytes()).expect("it is sent");
}

#[test]
fn a_list_that_goes_on_without_end_is_an_error() {
    let same = |_: usize| "same".to_owned();
    let another = |number: usize| number.to_string();
    for bucket in
        [endless_bucket(same, true), endless_bucket(same, false), endless_bucket(another, true)]
    {
        let error = bucket.list(Area::Snapshots).expect_err("it does not end");
        assert!(error.with_cause().contains("repeats itself"), "{error:?}");
        assert!(!error.is_temporary(), "it is not tried again");
    }
}
