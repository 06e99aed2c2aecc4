//! The whole system under test, a room for each subject. Each module is one kind of test; each test's name is a sentence.

mod automatic {
    mod alerts;
    mod consistent;
    mod containers;
    mod databases;
    mod daylight;
    mod drills;
    mod hooks;
    mod logs;
    mod network;
    mod schedules;
    mod watch;
    mod watching;
    mod whole_file_systems;
}

mod backend {
    mod conformance;
    mod verified_writes;
}

mod backup {
    mod empty_sources;
    mod excludes;
    mod file_systems;
    mod own_drive;
    mod priority;
    mod rules;
    mod source_lists;
    mod unchanged_files;
    mod unreliable_files;
}

mod config {
    mod destinations;
    mod file;
    mod shared_folder;
    mod volumes;
}

mod cost {
    mod backend_calls;
    mod round_trips;
    mod system_calls;
}

mod crash {
    mod interrupted;
    mod key_changes;
    mod killed_backup;
    mod killed_restore;
    mod parity;
    mod two_machines;
    mod unfinished_objects;
}

mod damage {
    mod hostile;
    mod maintenance;
    mod matrix;
    mod truncated_cache;
}

mod design {
    mod layers;
}

mod drive {
    mod applications;
    mod concurrent_readers;
    mod desktop;
    mod inodes;
    mod kernel;
    mod lost_destination;
    mod mountpoints;
    mod mutations;
    mod samba;
    mod search_links;
    mod serve;
    mod unmounting;
}

mod format {
    mod golden;
    mod model;
    mod second_reader;
}

mod history {
    mod clocks;
    mod forget;
    mod moments;
    mod path_history;
    mod retention;
    mod states;
}

mod lifecycle {
    mod concurrency;
    mod endurance;
    mod killed_commands;
    mod killed_maintenance;
    mod killed_repair;
    mod parity;
    mod policies;
    mod prune;
    mod repair;
    mod rollback;
    mod suspicion;
}

mod mirror {
    mod kills;
    mod program;
    mod writers;
}

mod past {
    mod copies;
    mod copy_program;
    mod dated_folders;
    mod mounted_repositories;
}

mod program {
    mod book;
    mod closed_pipe;
    mod exit_codes;
    mod first_start;
    mod help;
    mod keyring;
    mod keys;
    mod machines;
    mod papers;
    mod progress;
    mod secrets;
    mod status;
    mod terminal_width;
    mod time_zones;
}

mod remote {
    mod conformance;
    mod faults;
    mod full_disk;
    mod link;
    mod rclone;
    mod retry;
    mod s3;
    mod s3_conformance;
    mod s3_faults;
    mod s3_policies;
    mod s3_settings;
    mod sftp;
    mod sftp_access;
    mod sftp_program;

    mod source {
        mod files;
        mod pipe;
        mod program;
    }
}

mod restore {
    mod archives;
    mod case_insensitive;
    mod fidelity;
    mod in_place;
    mod owners;
    mod random_trees;
}
