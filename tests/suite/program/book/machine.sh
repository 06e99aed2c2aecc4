# The machine on which a page of the book is typed: what the hidden comments of a page call (book.rs).
# Its processes, mounts and system's folders are its own, and end with it.

for folder in /run /srv /var/lib /var/spool/cron; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mkdir -p /run/{sshd,lock,mysqld} /var/spool/cron/crontabs

# Waits until a command succeeds.
await() {
    local -
    set +x
    for _ in {1..600}; do
        if "$@" > /dev/null 2>&1; then return; fi
        sleep 0.1
    done
    "$@"
}

# `ssh_server HOST [LINE …]`: OpenSSH's server, which ~/.ssh/config knows as HOST; the lines are of its configuration.
ssh_server() {
    local host=$1 port
    shift
    port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir -p ~/.ssh ~/sshd
    ssh-keygen -q -t ed25519 -N '' -f ~/sshd/host
    ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
    # An account without a home finds it, too.
    install -m 755 -d /run/sshd-keys
    install -m 644 ~/.ssh/id_ed25519.pub /run/sshd-keys/known
    printf '%s\n' "Port $port" 'ListenAddress 127.0.0.1' "HostKey $HOME/sshd/host" \
        'AuthorizedKeysFile /run/sshd-keys/known' 'PidFile none' 'StrictModes no' 'UsePAM no' \
        'PermitRootLogin prohibit-password' 'Subsystem sftp internal-sftp' "$@" > ~/sshd/config
    printf '%s\n' "Host $host" '  HostName 127.0.0.1' "  Port $port" > ~/.ssh/config
    /usr/sbin/sshd -D -e -f ~/sshd/config 2> ~/sshd/log &
    await ssh-keyscan -p "$port" 127.0.0.1
    ssh-keyscan -p "$port" 127.0.0.1 > ~/.ssh/known_hosts
}

# Amazon's configuration, for the server that plays its part.
s3_account() {
    mkdir -p ~/.aws
    printf '%s\n' '[default]' "endpoint_url = $S3_ENDPOINT" > ~/.aws/config
    printf '%s\n' '[default]' 'aws_access_key_id = key' 'aws_secret_access_key = secret' > ~/.aws/credentials
}

# The program `docker`, which is Podman, as Debian's package podman-docker has it.
docker_engine() {
    printf '%s\n' '#!/bin/sh' 'exec podman "$@"' > ~/bin/docker
    chmod +x ~/bin/docker
}

# `system_container NAME [OPTION …] -- COMMAND …`: a container with the programs of this system, and files of its own.
system_container() {
    local name=$1 options=()
    shift
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    docker run --detach --name "$name" "${options[@]}" --rootfs /:O "$@"
}

# MariaDB, as Debian sets it up: the root of the system is the root of the server.
mariadb_server() {
    install -o mysql -g mysql -d /run/mysqld /var/lib/mysql
    mariadb-install-db --user=mysql --skip-test-db > /dev/null
    mariadbd --user=mysql --skip-networking 2> ~/mariadb.log &
    await mariadb -e 'select 1'
}

# `mariadb_container NAME PASSWORD`: as the image of MariaDB sets it up: its root has a password.
mariadb_container() {
    system_container "$1" --env MARIADB_ROOT_PASSWORD="$2" -- sh -c '
        install -o mysql -g mysql -d /run/mysqld /var/lib/mysql
        mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=normal > /dev/null
        printf "set password for root@localhost = password('\''%s'\'');\n" "$MARIADB_ROOT_PASSWORD" > /run/begin.sql
        exec mariadbd --user=mysql --skip-networking --init-file=/run/begin.sql'
    await docker exec "$1" mariadb --password="$2" -e 'select 1'
}

# `postgresql_container NAME`: as the image of PostgreSQL sets it up: whoever is in it is trusted, and must say who.
postgresql_container() {
    system_container "$1" -- sh -c '
        install -o postgres -g postgres -d /var/run/postgresql /var/lib/pg
        programs=$(echo /usr/lib/postgresql/*/bin)
        as() { setpriv --reuid postgres --regid postgres --clear-groups -- "$@"; }
        as "$programs/initdb" --auth=trust --no-sync -D /var/lib/pg > /dev/null
        exec setpriv --reuid postgres --regid postgres --clear-groups -- "$programs/postgres" -D /var/lib/pg -h ""'
    await docker exec "$1" psql --username=postgres -c 'select 1'
}
