//! Volumes of containers, as a source of kind `docker` names them.

/// What the containers that use a volume do while it is read; the first is the usual.
pub const CONTAINERS: [&str; 3] = ["run", "pause", "stop"];

/// The programs that run containers; without a word for it, the first that is installed.
pub const CONTAINER_PROGRAMS: [&str; 2] = ["docker", "podman"];

/// Volumes of Docker or Podman that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DockerVolumes {
    /// The names of the volumes.
    pub volumes: Vec<String>,
    /// The containers that use them, while they are read.
    pub containers: Stillness,
    /// The program that runs the containers; the first that is installed where none is named.
    pub program: Option<String>,
}

/// What containers do while their volumes are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stillness {
    /// They run on.
    #[default]
    Run,
    /// They stand still.
    Pause,
    /// They are stopped, and started again.
    Stop,
}

impl Stillness {
    /// Reads one of the words.
    pub fn of(word: Option<&str>) -> Self {
        match word {
            Some("pause") => Stillness::Pause,
            Some("stop") => Stillness::Stop,
            _ => Stillness::Run,
        }
    }
}
