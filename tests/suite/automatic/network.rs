//! A network that costs, as a real NetworkManager tells it.

use std::process::Command;

use yore_tests::{Person, needs_root};

/// NetworkManager and its message bus run in namespaces of their own, with a bridge to a cable of two ends.
#[test]
fn no_backup_makes_itself_over_a_network_that_costs() {
    needs_root("start NetworkManager");
    let person = Person::with_destinations(&["disk"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["config", "set", "limits.metered", "false"]).assert_code(0);
    let script = r#"
        set -e
        for folder in /run /var/lib/NetworkManager /etc/NetworkManager; do
            mount -t tmpfs tmpfs $folder
        done
        mkdir -p /run/dbus /etc/NetworkManager/system-connections
        mount -t sysfs sysfs /sys
        ip link set lo up
        ip link add va type veth peer name vb
        ip link set vb up
        dbus-daemon --system --nofork --nopidfile > bus 2>&1 &
        bus=$!
        for i in $(seq 300); do [ -S /run/dbus/system_bus_socket ] && break; sleep 0.1; done
        NetworkManager --no-daemon > manager 2>&1 &
        manager=$!
        for i in $(seq 300); do nmcli general > /dev/null 2>&1 && break; sleep 0.1; done
        nmcli connection add type bridge ifname br0 con-name mobile bridge.stp no \
            ip4 192.0.2.7/24 gw4 192.0.2.1 connection.metered yes
        nmcli connection up mobile
        ip link set va master br0 up
        connected() { nmcli --terse --fields GENERAL.STATE device show br0 | grep -q :100; }
        for i in $(seq 300); do connected && break; sleep 0.1; done
        "$0" backup --if-idle > costs
        nmcli connection modify mobile connection.metered no
        nmcli device reapply br0
        "$0" backup --if-idle > free
        kill $manager $bus
    "#;
    let typed = person.command(["status"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "bash", "-c", script]).arg(typed.get_program());
    command.current_dir(person.at("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(typed.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ended = command.output().expect("unshare runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let said = |name: &str| std::fs::read_to_string(person.at(name)).expect("what was said");
    assert!(said("costs").contains("the network is metered"), "{}", said("costs"));
    assert!(said("free").contains("Saved snapshot"), "{}", said("free"));
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 1);
}
