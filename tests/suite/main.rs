//! The whole system under test, a room for each subject. Each module is one kind of test; each test's name is a sentence.

mod backend {
    mod conformance;
}

mod backup {
    mod empty_sources;
    mod excludes;
    mod file_systems;
    mod own_drive;
    mod rules;
    mod source_lists;
    mod unchanged_files;
    mod unreliable_files;
}

mod cost {
    mod backend_calls;
    mod system_calls;
}

mod crash {
    mod interrupted;
    mod killed_backup;
    mod killed_restore;
    mod two_machines;
    mod unfinished_objects;
}

mod damage {
    mod hostile;
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
    mod states;
}

mod program {
    mod closed_pipe;
    mod exit_codes;
    mod help;
    mod progress;
    mod secrets;
    mod status;
    mod terminal_width;
    mod time_zones;
}

mod restore {
    mod archives;
    mod case_insensitive;
    mod fidelity;
    mod in_place;
    mod owners;
    mod random_trees;
}
