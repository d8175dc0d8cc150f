use super::*;

/// A record that owns its parts, for comparing.
#[derive(Debug, Clone, PartialEq)]
struct Owned {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn build(config: CompressionConfig, records: &[Owned], base_offset: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(vec![7; 300], config);
    for record in records {
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(key, value)| RecordHeader {
                key,
                value: value.as_deref(),
            })
            .collect();
        let before = builder.len_bytes();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let delta = builder.append(record.timestamp, key, value, &headers);
        assert_eq!(i64::from(delta) + base_offset, record.offset);
        let estimate = BatchBuilder::estimate(key, value, &headers);
        assert!(builder.len_bytes() - before <= estimate);
    }
    builder.finish(&ProducerFields::NONE, base_offset).unwrap();
    builder.into_bytes()
}

/// Every record of a buffer of batches.
fn read(buffer: &[u8], options: &DecodeOptions) -> Result<Vec<Owned>, RecordError> {
    let (mut decompressed, mut refs, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for batch in Batches::new(buffer) {
        let from = refs.len();
        let origin = decode(&batch?, options, &mut decompressed, &mut refs)?;
        let bytes = match origin {
            RecordBytes::Fetched => buffer,
            RecordBytes::Decompressed => &decompressed,
        };
        for record in &refs[from..] {
            records.push(owned(bytes, record)?);
        }
    }
    Ok(records)
}

fn owned(bytes: &[u8], record: &RecordRef) -> Result<Owned, RecordError> {
    Ok(Owned {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.of(bytes).map(<[u8]>::to_vec),
        value: record.value.of(bytes).map(<[u8]>::to_vec),
        headers: headers(bytes, record.headers, record.header_count)
            .map(|header| header.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))))
            .collect::<Result<_, _>>()?,
    })
}

fn lines(count: i64, base_offset: i64) -> Vec<Owned> {
    (0..count)
        .map(|index| Owned {
            offset: base_offset + index,
            timestamp: 1_700_000_000_000 + index,
            key: None,
            value: Some(format!("line {index}: the quick brown fox, {}", index * 7).into_bytes()),
            headers: Vec::new(),
        })
        .collect()
}

fn configs() -> Vec<CompressionConfig> {
    Compression::ALL.into_iter().map(Into::into).collect()
}

#[test]
fn many_records_come_back_through_every_codec() {
    for config in configs() {
        let records = lines(20_000, 40);
        let batch = build(config, &records, 40);
        let found = read(&batch, &DecodeOptions::default()).unwrap();
        assert!(found == records, "{config:?}");
        let header = BatchHeader::parse(&batch).unwrap().unwrap();
        assert_eq!(header.compression().unwrap(), config.codec);
        assert_eq!(header.total_bytes(), batch.len());
        assert_eq!((header.count, header.last_offset()), (20_000, 20_039));
        assert_eq!(header.next_offset(), 20_040);
        assert_eq!(header.max_timestamp, 1_700_000_019_999);
        assert_eq!(header.producer(), ProducerFields::NONE);
        if config.codec != Compression::None {
            assert!(batch.len() < 600_000, "{config:?} does not compress");
        }
    }
}
