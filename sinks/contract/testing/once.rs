//! JSON as the strictest of its readers take it.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, map::Entry, value::RawValue};

/// JSON that names no member twice: most readers keep the last and drop the others in silence.
pub(crate) fn once(json: &[u8]) -> Result<Value, String> {
    let Once(value) = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    Ok(value)
}

/// The members of an object, each named once.
pub(crate) fn members(json: &[u8]) -> Result<BTreeMap<String, &RawValue>, String> {
    let Members(members) = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    Ok(members)
}

struct Members<'j>(BTreeMap<String, &'j RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<String, &RawValue>()? {
            if all.contains_key(&name) {
                return Err(twice(&name));
            }
            all.insert(name, value);
        }
        Ok(Members(all))
    }
}

fn twice<E: Error>(name: &str) -> E {
    E::custom(format!("member {name} stands twice"))
}

struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once(Value::Null))
    }

    fn visit_str<E>(self, value: &str) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Once, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Once(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Once, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((name, Once(value))) = members.next_entry::<String, _>()? {
            match object.entry(name) {
                Entry::Vacant(place) => drop(place.insert(value)),
                Entry::Occupied(taken) => return Err(twice(taken.key())),
            }
        }
        Ok(Once(object.into()))
    }
}
