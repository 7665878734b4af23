//! The part of S3's protocol that public buckets need: addresses and listings.
//!
//! # Reference
//! Amazon S3 API reference: ListObjectsV2, and "Virtual hosting of buckets".

use serde::Deserialize;

use super::{Access, Listed, Page, web};
use crate::etag;
use crate::failure::Trouble;
use crate::key::{encode_path, encode_query};
use crate::{Cause, Error, Result};

/// A bucket and the prefix that keys are relative to.
#[derive(Debug)]
pub(crate) struct Bucket {
    base: String,
    prefix: String,
}

impl Bucket {
    /// Takes `bucket/prefix`.
    pub(crate) fn parse(address: &str, rest: &str, access: &Access) -> Result<Self> {
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if name.len() < 3 || !name.bytes().all(legal) {
            return Err(Error::address(address, format!("names no bucket: `{name}`")));
        }
        let region = &access.region;
        let base = match &access.endpoint {
            Some(endpoint) => format!("{}/{name}", web::base(endpoint)?),
            // A certificate for all buckets covers no name with dots.
            None if name.contains('.') => format!("https://s3.{region}.amazonaws.com/{name}"),
            None => format!("https://{name}.s3.{region}.amazonaws.com"),
        };
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { base, prefix })
    }

    /// Address of the bucket, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A key as the bucket knows it.
    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(crate) fn list_url(&self, prefix: &str, folders: bool, token: Option<&str>) -> String {
        let mut url = format!("{}/?list-type=2&prefix={}", self.base, encode_query(&self.key(prefix)));
        if folders {
            url.push_str("&delimiter=%2F");
        }
        if let Some(token) = token {
            url.push_str("&continuation-token=");
            url.push_str(&encode_query(token));
        }
        url
    }

    /// Reads one page.
    pub(crate) fn page(&self, text: &str) -> Result<Page, Trouble> {
        let answer: Answer = quick_xml::de::from_str(text)
            .map_err(|error| Trouble::passing(Cause::Server, format!("the listing cannot be read: {error}")))?;
        let own = |key: String| key.strip_prefix(&self.prefix).map(str::to_owned);
        // Some tools stand an empty object for a folder; it can be no file.
        let files = answer.contents.into_iter().filter(|object| object.size > 0 || !object.key.ends_with('/'));
        let objects = files.filter_map(|object| {
            Some(Listed {
                key: own(object.key).filter(|key| !key.is_empty())?,
                bytes: Some(object.size),
                etag: object.etag.as_deref().map(etag::plain),
                last_modified: object.last_modified,
            })
        });
        Ok(Page {
            objects: objects.collect(),
            folders: answer.folders.into_iter().filter_map(|folder| own(folder.prefix)).collect(),
            next: answer.next,
        })
    }
}

/// Address of a bucket's listing for messages about one key.
pub(crate) fn object_url(base: &str, key: &str) -> String {
    format!("{base}/{}", encode_path(key))
}

#[derive(Deserialize)]
#[serde(rename = "ListBucketResult")]
struct Answer {
    #[serde(rename = "Contents", default)]
    contents: Vec<Contents>,
    #[serde(rename = "CommonPrefixes", default)]
    folders: Vec<Folder>,
    #[serde(rename = "NextContinuationToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Contents {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Size")]
    size: u64,
    #[serde(rename = "ETag")]
    etag: Option<String>,
    #[serde(rename = "LastModified")]
    last_modified: Option<String>,
}

#[derive(Deserialize)]
struct Folder {
    #[serde(rename = "Prefix")]
    prefix: String,
}

/// What an error of S3 says: its code and message.
pub(crate) fn error_text(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "Code")]
        code: String,
        #[serde(rename = "Message", default)]
        message: String,
    }
    let answer: Answer = quick_xml::de::from_str(body).ok()?;
    Some(format!("{} ({})", answer.code, answer.message.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(address: &str, access: &Access) -> Result<Bucket> {
        Bucket::parse(address, address.strip_prefix("s3://").unwrap(), access)
    }

    #[test]
    fn buckets_have_addresses() {
        let mut access = Access { region: "eu-west-1".into(), ..Access::default() };
        let base = |address, access: &Access| bucket(address, access).map(|bucket| bucket.base);
        assert_eq!(
            base("s3://cellpainting-gallery/a", &access).unwrap(),
            "https://cellpainting-gallery.s3.eu-west-1.amazonaws.com"
        );
        assert_eq!(base("s3://my.data", &access).unwrap(), "https://s3.eu-west-1.amazonaws.com/my.data");
        access.endpoint = Some("http://localhost:9000/".into());
        assert_eq!(base("s3://data", &access).unwrap(), "http://localhost:9000/data");
        for wrong in ["s3://", "s3:///a", "s3://a?b", "s3://user@host/a"] {
            assert!(base(wrong, &access).is_err(), "`{wrong}`");
        }
    }

    #[test]
    fn a_page_is_read_as_servers_write_it() {
        // The example of the API reference, with a folder, an entity and keys outside the prefix added.
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>amzn-s3-demo-bucket</Name><Prefix>p/</Prefix><KeyCount>3</KeyCount><MaxKeys>3</MaxKeys><IsTruncated>true</IsTruncated>
  <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
  <Contents><Key>p/</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><Size>0</Size></Contents>
  <CommonPrefixes><Prefix>p/folder//</Prefix></CommonPrefixes>
  <Contents><Key>p/a &amp; b//c.tif</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>
    <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass>
    <Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner></Contents>
</ListBucketResult>"#;
        let page = bucket("s3://bucket/p", &Access::default()).unwrap().page(text).unwrap();
        let listed = Listed {
            key: "a & b//c.tif".into(),
            bytes: Some(434_234),
            etag: Some("fba9dede5f27731c9771645a39863328".into()),
            last_modified: Some("2009-10-12T17:50:30.000Z".into()),
        };
        let next = Some("1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=".into());
        assert_eq!(page, Page { objects: vec![listed], folders: vec!["folder//".into()], next });
    }

    #[test]
    fn an_empty_page_and_an_error_are_no_listing_of_objects() {
        let bucket = bucket("s3://bucket", &Access::default()).unwrap();
        assert_eq!(
            bucket.page("<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>").unwrap(),
            Page::default()
        );
        assert!(bucket.page("<ListBucketResult><Contents><Key>a").is_err());
        let error = "<Error><Code>SlowDown</Code><Message>Reduce your rate. </Message><RequestId>1</RequestId></Error>";
        assert_eq!(error_text(error).unwrap(), "SlowDown (Reduce your rate.)");
        assert_eq!(error_text("<html>"), None);
    }
}
