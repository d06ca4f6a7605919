//! How files are read whatever they hold: compressions, cuts, changes while they are read.

use super::*;

#[test]
fn every_compression_gives_the_same_and_a_cut_stream_says_so() {
    let folder = Folder::new("compressed");
    let mut text = TRADES.to_owned();
    for id in 12..4_000 {
        text.push_str(&format!("10000000000000{id:05},1,2,{id},{id}.07,0.{id},0\n"));
    }
    let plain = folder.file("binance_spot_btcusdt_plain.csv", text.as_bytes());
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let zst = folder.file("binance_spot_btcusdt_a.csv.zst", &packed);
    // The content tells, not the name; frames may follow each other.
    let (head, tail) = text.split_at(text.len() / 2);
    let frames = [head, tail].map(|part| zstd::encode_all(part.as_bytes(), 1).unwrap()).concat();
    let misnamed = folder.file("binance_spot_btcusdt_a.csv.gz", &frames);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let zipped = gzip.finish().unwrap();
    let gz = folder.file("binance_spot_btcusdt_b.csv", &zipped);
    let crlf = folder.file("binance_spot_btcusdt_c.csv", text.replace('\n', "\r\n").as_bytes());
    let (expected, progress) = read(&request(&[plain]));
    assert_eq!((progress.messages, progress.bad), (3_990, 0));
    for path in [zst, misnamed, gz, crlf] {
        let (messages, progress) = read(&request(std::slice::from_ref(&path)));
        assert_eq!(progress.bytes, progress.bytes_total, "{}", path.display());
        assert_eq!((progress.messages, progress.bad, progress.failed), (3_990, 0, false));
        let bodies = |all: &[Message]| -> Vec<Body> {
            all.iter().flat_map(|one| one.updates.iter().map(|(_, body)| *body)).collect()
        };
        assert_eq!(bodies(&messages), bodies(&expected), "{}", path.display());
    }
    for bytes in [packed, zipped] {
        let cut = bytes.split_at(bytes.len() - 5).0;
        let (messages, progress) = read(&request(&[folder.file("binance_spot_btcusdt_cut", cut)]));
        assert!(progress.failed && progress.bad == 1, "{progress:?}");
        let [(line, InputFault::Truncated, 0)] = faults(&messages)[..] else {
            panic!("{:?}", faults(&messages));
        };
        assert_eq!(line, progress.messages + 2, "the header, and the line that was cut");
    }
}

#[test]
fn the_first_line_may_stand_behind_a_mark_and_the_stream_behind_a_frame_without_data() {
    let folder = Folder::new("marks");
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    let skippable = |magic: u8, text: &[u8]| {
        let head = [magic, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 7, 7, 7];
        [&head[..], &zstd::encode_all(text, 1).unwrap()].concat()
    };
    let now = 1_723_161_254_000_000_000_u64;
    let raw = format!("{now} {}\n{now} {}\n", trade("BTCUSDT", 1), trade("BTCUSDT", 2));
    for (name, bytes, messages) in [
        ("binance_spot_btcusdt_t.csv", marked(TRADES), 2),
        ("binance_btcusdt_1h_k.csv", marked(KLINES), 2),
        ("binance_spot_btcusdt_l2.csv", marked(LEVELS), 5),
        ("any.log", marked(&raw), 2),
        ("a.log", zstd::encode_all(&marked(&raw)[..], 1).unwrap(), 2),
        ("b.log", skippable(0x50, raw.as_bytes()), 2),
        ("c.log", skippable(0x5F, raw.as_bytes()), 2),
    ] {
        let (_, progress) = read(&request(&[folder.file(name, &bytes)]));
        assert_eq!((progress.messages, progress.bad), (messages, 0), "{name}");
        assert_eq!(progress.bytes, progress.bytes_total, "{name}");
    }
    // Only the first line: elsewhere it is damage.
    let text = raw.replacen('\n', "\n\u{feff}", 1);
    let (_, progress) = read(&request(&[folder.file("d.log", text.as_bytes())]));
    assert_eq!((progress.messages, progress.bad), (2, 1));
}

#[test]
fn a_file_that_is_shortened_while_it_is_read_ends_early() {
    let folder = Folder::new("shortened");
    let frame = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let (head, tail) = TRADES.split_at(TRADES.find("1000000000000000001").unwrap());
    // At the end of a line, and of a frame: nothing in the file itself tells.
    let frames = [frame(head), frame(tail)].concat();
    for (bytes, length) in [(TRADES.as_bytes().to_vec(), head.len()), (frames, frame(head).len())] {
        let path = folder.file("binance_spot_btcusdt_x.csv", &bytes);
        let mut opened = open(&request(std::slice::from_ref(&path))).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(length as u64).unwrap();
        let (messages, progress) = drain(&mut opened.source);
        assert_eq!(faults(&messages), [(3, InputFault::Truncated, 0)]);
        assert_eq!((progress.messages, progress.bad, progress.failed), (1, 1, true));
        assert_eq!(opened.source.ended_early(), [0]);
        assert!(opened.source.unusable().is_empty());
    }
}

/// A recorder may still write: a session's data is what its hash says.
#[test]
fn what_is_appended_while_a_file_is_read_is_not_read() {
    let folder = Folder::new("appended");
    let (kept, row) = TRADES.split_at(TRADES.find("1000000000000000001").unwrap());
    for pack in [
        |text: &str| text.as_bytes().to_vec(),
        |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap(),
    ] {
        let path = folder.file("binance_spot_btcusdt_x.csv", &pack(kept));
        let mut opened = open(&request(std::slice::from_ref(&path))).unwrap();
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all(&pack(row)).unwrap();
        let (_, progress) = drain(&mut opened.source);
        assert_eq!((progress.messages, progress.bad, progress.failed), (1, 0, false));
        assert_eq!(progress.bytes, progress.bytes_total);
    }
}

/// `0.25` may have been `0.257`: nothing marks where a plain file should end. A message of a raw
/// capture has an end of its own, and a compressed stream too.
#[test]
fn a_row_without_a_line_feed_is_not_trusted() {
    let folder = Folder::new("unended");
    for (name, text, bad, line) in [
        ("binance_spot_btcusdt_t.csv", TRADES, 1, 3),
        ("binance_btcusdt_1h_k.csv", KLINES, 1, 3),
        ("binance_spot_btcusdt_l2.csv", LEVELS, 1, 6),
    ] {
        let opened = open(&request(&[folder.file(name, text.trim_end().as_bytes())])).unwrap();
        let note = format!("{name}: the last line has no line feed");
        assert!(opened.notes.iter().any(|told| told.contains(&note)), "{:?}", opened.notes);
        let (messages, progress) = drain(&mut { opened.source });
        assert_eq!(faults(&messages), [(line, InputFault::Malformed, 0)], "{name}");
        assert_eq!((progress.bad, progress.failed), (bad, false), "{name}");
        let packed = zstd::encode_all(text.trim_end().as_bytes(), 1).unwrap();
        let opened = open(&request(&[folder.file(name, &packed)])).unwrap();
        assert!(opened.notes.is_empty(), "{:?}", opened.notes);
        assert_eq!(drain(&mut { opened.source }).1.bad, 0, "{name}");
    }
    let raw = format!("1723161254000000000 {}", trade("BTCUSDT", 1));
    let (_, progress) = read(&request(&[folder.file("any.log", raw.as_bytes())]));
    assert_eq!((progress.messages, progress.bad), (1, 0));
}

#[test]
fn a_file_is_unusable_when_every_message_is_bad() {
    let folder = Folder::new("unusable");
    let good = folder.file("binance_spot_btcusdt_a.csv", TRADES.as_bytes());
    let off = TRADES.replace("100.0", "100.00");
    let bad = folder.file("binance_spot_ethusdt_b.csv", off.as_bytes());
    let mut source = open(&request(&[good, bad])).unwrap().source;
    let (_, progress) = drain(&mut source);
    assert_eq!((progress.messages, progress.bad), (4, 2));
    assert_eq!((source.unusable(), source.ended_early()), (vec![1], vec![]));
}

#[test]
fn lines_above_the_limit_are_reported_and_passed_over() {
    let folder = Folder::new("long");
    let long = "9".repeat(lines::LINE_BYTES_MAX + 1);
    let text = format!("{TRADES}{long}\n1000000000000000002,1,2,12,100,1,0\n");
    let (messages, progress) =
        read(&request(&[folder.file("binance_spot_btcusdt_x.csv", text.as_bytes())]));
    assert_eq!(faults(&messages), [(4, InputFault::TooLarge, 0)]);
    assert_eq!((progress.messages, messages.len()), (4, 4));
}

#[test]
fn messages_that_wait_for_a_snapshot_in_vain_are_counted() {
    const NOW: i64 = 1_723_161_254_000_000_000;
    let depth = |first: u64, last: u64| {
        let data = format!(r#""U":{first},"u":{last},"b":[["99.00","1"]],"a":[]"#);
        let data = format!(r#"{{"e":"depthUpdate","E":1,"s":"BTCUSDT",{data}}}"#);
        format!(r#"{{"stream":"btcusdt@depth","data":{data}}}"#)
    };
    // The book is lost at line 3, and again at line 6; no snapshot follows.
    let told = [(3, InputFault::Gap, 1), (6, InputFault::Gap, 2), (6, InputFault::Gap, 1)];
    let lines = [
        SNAPSHOT.to_owned(),
        depth(11, 11),
        depth(13, 13),
        depth(14, 14),
        depth(15, 15),
        depth(17, 17),
        depth(18, 18),
    ];
    let text = |lines: &[String]| {
        let stamped =
            lines.iter().zip(NOW..).map(|(json, ns)| format!("{ns}\tspot:BTCUSDT\t{json}\n"));
        stamped.collect::<String>()
    };
    let counted = |messages: &[Message]| -> Vec<(u64, InputFault, u64)> {
        let updates = messages.iter().flat_map(|message| &message.updates);
        let fault = |(_, body): &(InstrumentId, Body)| match body {
            Body::BadInput(bad) => Some((bad.line, bad.fault, bad.count)),
            _ => None,
        };
        updates.filter_map(fault).collect()
    };
    let folder = Folder::new("unused");
    let (messages, progress) = read(&request(&[folder.file("lost.tsv", text(&lines).as_bytes())]));
    // The last one still waits at the end.
    assert_eq!(counted(&messages), [&told[..], &[(7, InputFault::Gap, 1)]].concat());
    assert_eq!((progress.messages, progress.bad), (7, 5));
    // A snapshot that holds uses what waited.
    let again = r#"{"lastUpdateId":17,"bids":[["100.00","1"]],"asks":[["101.00","2"]]}"#;
    let lines = [&lines[..], &[again.to_owned(), depth(19, 19)]].concat();
    let (messages, progress) = read(&request(&[folder.file("found.tsv", text(&lines).as_bytes())]));
    assert_eq!(counted(&messages), told);
    assert_eq!((progress.messages, progress.bad), (9, 4));
}

#[test]
fn one_row_whose_time_is_off_does_not_change_the_length_of_bars() {
    let (header, _) = KLINES.split_once('\n').unwrap();
    let text = |times: &[i64]| {
        let rows =
            times.iter().map(|ms| format!("{ms},100.00,110.00,90.00,105.00,1.5,7,150.5,0\n"));
        format!("{header}\n{}", rows.collect::<String>())
    };
    let folder = Folder::new("off");
    let minute = |nth: i64| 1_640_995_200_000 + nth * 60_000;
    let mut times: Vec<i64> = (0..9).map(minute).collect();
    times[4] -= 1;
    // A gap is a longer distance, and no two rows are closer than a bar.
    times.remove(7);
    let path = folder.file("any.csv", text(&times).as_bytes());
    assert_eq!(survey::bar_ns(&path).unwrap(), Some(60_000_000_000));
    let path = folder.file("two.csv", text(&[minute(0), minute(3), minute(4)]).as_bytes());
    assert_eq!(survey::bar_ns(&path).unwrap(), Some(60_000_000_000), "of equal ones the smallest");
    let path = folder.file("one.csv", text(&[minute(0)]).as_bytes());
    assert_eq!(survey::bar_ns(&path).unwrap(), None);
}
