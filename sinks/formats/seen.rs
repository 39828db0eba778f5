//! An event with what a format asks for in more than one place, asked once.

use super::{
    deed::{Call, Deed, has_file},
    names::Attack,
    time::Moment,
};
use crate::contract::{Event, Network};

pub(super) struct Seen<'e> {
    pub(super) event: &'e Event<'e>,
    pub(super) moment: Moment<'e>,
    /// [`Event::event_data`]
    pub(super) details: Vec<(&'e str, &'e str)>,
    pub(super) call: Call<'e>,
    pub(super) deed: Deed,
    pub(super) network: Option<Network<'e>>,
    pub(super) tags: Vec<&'e str>,
    attacks: Vec<Attack<'e>>,
}

impl<'e> Seen<'e> {
    pub(super) fn of(event: &'e Event<'_>) -> Self {
        let details = event.event_data();
        let call = Call::of(&details);
        let deed = Deed::of(event, call);
        let (moment, network) = (Moment::of(event), event.network_of(&details));
        let tags = event.tags();
        let attacks = tags.iter().filter_map(|tag| Attack::of(tag)).collect();
        Self { event, moment, details, call, deed, network, tags, attacks }
    }

    /// What its tags say of MITRE ATT&CK.
    pub(super) fn attacks(&self) -> impl Iterator<Item = Attack<'e>> {
        self.attacks.iter().copied()
    }

    /// `Resource` where it is no file's path and no new process' command line.
    pub(super) fn other_resource(&self) -> &'e str {
        if self.event.starts_program() || has_file(self.event) {
            return "";
        }
        self.event.resource()
    }
}
