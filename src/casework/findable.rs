//! What records are found by: keyed tags of what their payloads say. Without the keys nobody sees what they are of.

use super::record_row::NumberRow;
use super::row_codec::RowsError;
use crate::{
    domain::{
        Jurisdiction, RecordColumn, RecordId, SheetRecord, content::referral::ReferralFields,
    },
    entry::{Content, RowVisitor, SheetRow},
    exchange::Rows,
    log::Txn,
    seal::{Keyring, PurgeMonth},
    store::tables,
};

/// What a content is found by.
pub(super) struct Findable {
    /// Values of the keyed indexes by kind: `number`, `name`, `place`, `substance`.
    tags: Vec<(&'static str, String)>,
    /// Where its sheet numbers it.
    numbered: Option<Numbered>,
}

/// A record's number within its sender's sheets, and what it says under it.
pub(super) struct Numbered {
    /// What keeps the numbers of different sheets apart.
    labels: [&'static str; 2],
    number: String,
    canonical: Vec<u8>,
}

/// A row of a sheet on its way to what it is found by.
struct Found;

impl RowVisitor<'_> for Found {
    type Output = Option<Findable>;

    fn visit<C: SheetRow>(self, fields: &C::Fields) -> Option<Findable> {
        let record = SheetRecord::<C>::reread(fields).ok()?;
        let mut tags = vec![("number", record.resident_number().as_str().to_owned())];
        if C::RECORD.kind.spec().found_by.contains(&"name") {
            tags.push(("name", record.name().to_owned()));
        }
        Some(Findable {
            tags,
            numbered: Some(Numbered::of(&record)),
        })
    }
}

impl Findable {
    /// By what a content is found; nothing for what it is not.
    pub(super) fn of(content: &Content) -> Option<Self> {
        if let Content::Referral(fields) = content {
            return Some(Self {
                tags: referral_tags(fields),
                numbered: None,
            });
        }
        content.visit_row(Found)?
    }

    /// Puts a record among those found by its content. `first` is the index of its first entry, by which pages go.
    pub(super) fn put(
        &self,
        txn: &mut Txn<'_>,
        ring: &Keyring,
        month: PurgeMonth,
        (record, sender, first): (RecordId, Jurisdiction, u64),
    ) -> Result<(), RowsError> {
        let Some(bucket) = ring.bucket(month) else {
            return Ok(());
        };
        for (kind, value) in &self.tags {
            let key = tables::subject(month.number(), &bucket.tag(kind, value), first);
            txn.put(key, record.as_bytes().to_vec())?;
        }
        if let Some(numbered) = &self.numbered {
            let row = NumberRow {
                record,
                content: numbered.content_tag(ring),
                index: first,
            };
            txn.put(numbered.key(ring, sender), row.to_bytes())?;
        }
        Ok(())
    }
}

impl Numbered {
    /// The number of a row.
    pub(super) fn of<C: RecordColumn>(record: &SheetRecord<C>) -> Self {
        Self {
            labels: C::RECORD.labels,
            number: record.number().to_owned(),
            canonical: record.canonical_content(),
        }
    }

    fn key(&self, ring: &Keyring, sender: Jurisdiction) -> [u8; 33] {
        let parts = [sender.as_bytes().as_slice(), self.number.as_bytes()];
        tables::number(&ring.lookup_tag(self.labels[0], &parts))
    }

    /// The tag that tells whether content is the same.
    fn content_tag(&self, ring: &Keyring) -> [u8; 32] {
        ring.lookup_tag(self.labels[1], &[&self.canonical])
    }

    /// What has this sender's number already, made ready to be looked up where the keys are not.
    pub(super) fn taken(&self, ring: &Keyring, sender: Jurisdiction) -> Lookup {
        Lookup {
            key: self.key(ring, sender),
            content: self.content_tag(ring),
        }
    }
}

/// A look at whether a number is taken.
pub(super) struct Lookup {
    key: [u8; 33],
    content: [u8; 32],
}

/// What has a number already.
pub(super) enum Taken {
    /// The same content.
    Same(NumberRow),
    /// Another content.
    Other,
}

impl Lookup {
    /// What has the number; nothing where it is free.
    pub(super) fn look(&self, rows: &mut dyn Rows) -> Result<Option<Taken>, RowsError> {
        let Some(row) = rows.row(&self.key)? else {
            return Ok(None);
        };
        let row = NumberRow::from_bytes(&row)?;
        Ok(Some(if row.content == self.content {
            Taken::Same(row)
        } else {
            Taken::Other
        }))
    }
}

fn referral_tags(fields: &ReferralFields) -> Vec<(&'static str, String)> {
    let all = [
        ("number", &fields.subject_number),
        ("name", &fields.subject_name),
        ("place", &fields.place_code),
        ("substance", &fields.substance),
    ];
    let stated = all.into_iter().filter(|(_, value)| !value.is_empty());
    stated.map(|(kind, value)| (kind, value.clone())).collect()
}
