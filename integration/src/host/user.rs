//! The user accounts that processes run under.

use std::process::Command;

use nix::unistd::{Uid, User};

/// A user account that a process is started under.
#[derive(Clone, Debug)]
pub struct UserAccount {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group's id.
    pub gid: u32,
}

impl UserAccount {
    /// The account of this process.
    ///
    /// # Panics
    /// If it is not in the password database.
    pub fn current() -> UserAccount {
        let user = User::from_uid(Uid::effective()).expect("password database readable");
        UserAccount::from_user(user.expect("own account exists"))
    }

    /// The account with this login name, if there is one.
    pub fn named(name: &str) -> Option<UserAccount> {
        User::from_name(name)
            .ok()
            .flatten()
            .map(UserAccount::from_user)
    }

    /// chronyd's account when this process is root, otherwise its own.
    ///
    /// # Panics
    /// If this process is root and chrony is not installed.
    pub fn chrony() -> UserAccount {
        if !Uid::effective().is_root() {
            return UserAccount::current();
        }
        let names = ["_chrony", "chrony"];
        names
            .iter()
            .find_map(|name| UserAccount::named(name))
            .expect("chrony is installed and has its account")
    }

    /// A command that becomes `program` under this account and dies with the thread that starts it.
    ///
    /// The wrapper replaces itself, so the process id is that of `program`.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if Uid::effective().is_root() && self.uid != 0 {
            command.args([
                "--reuid",
                &self.uid.to_string(),
                "--regid",
                &self.gid.to_string(),
                "--clear-groups",
            ]);
        }
        // Set after the change of user, which would clear it: chronyd must not do that change
        // itself.
        command.args(["--pdeathsig", "KILL", "--", program]);
        command
    }

    fn from_user(user: User) -> UserAccount {
        UserAccount {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }
}
