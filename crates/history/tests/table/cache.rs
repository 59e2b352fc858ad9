use crate::support::{MUCH, TestHistory, after, event, ids, start, tenant};

#[tokio::test]
async fn closed_slices_are_read_once_and_open_ones_each_time() {
    let t = TestHistory::create().await;
    t.record_id("old", "urn:a", after(10)).await;
    t.record_id("new", "urn:a", after(100)).await;
    let reader = t.reader();
    let read = async |from, now| ids(&reader.read(&tenant("demo"), after(from), after(now), MUCH).await.unwrap());

    t.queries.take();
    assert_eq!(read(0, 105).await, ["old", "new"]);
    assert_eq!(t.queries.take().len(), 8, "the closed slices, and the open ones");
    t.record_id("newer", "urn:b", after(106)).await;
    assert_eq!(read(0, 107).await, ["old", "new", "newer"]);
    assert_eq!(t.queries.take().len(), 4, "the open ones");
    assert_eq!(read(11, 107).await, ["new", "newer"], "a read that begins within a known slice");
    // By now, the slice from 90 s on is closed as well.
    assert_eq!(read(0, 135).await, ["old", "new", "newer"]);
    assert_eq!(t.queries.take().len(), 4 + 8);
    assert_eq!(read(0, 136).await, ["old", "new", "newer"]);
    assert_eq!(t.queries.take().len(), 4);
}

#[tokio::test]
async fn a_slice_stays_open_for_the_time_of_the_overlap() {
    let t = TestHistory::create().await;
    let reader = t.reader();
    let read = async |now| ids(&reader.read(&tenant("demo"), start(), after(now), MUCH).await.unwrap());
    let overlap = t.table.timing().overlap.as_secs();

    assert_eq!(read(30 + overlap - 1).await, [""; 0]);
    t.record_id("late", "urn:a", after(29)).await;
    assert_eq!(read(30 + overlap).await, ["late"], "the slice was still open");
    // No attempt that succeeds writes so late; see `read_plan`.
    t.record_id("too-late", "urn:a", after(29)).await;
    assert_eq!(read(30 + overlap).await, ["late"]);
    assert_eq!(t.ids_since(start(), after(50)).await.len(), 2, "a new reader knows no slice");
}

#[tokio::test]
async fn known_slices_belong_to_one_tenant() {
    let t = TestHistory::create().await;
    t.record(&event("mine", "demo", "urn:a"), after(1)).await;
    t.record(&event("theirs", "other", "urn:a"), after(2)).await;
    let reader = t.reader();
    for _ in 0..2 {
        for (name, wanted) in [("demo", "mine"), ("other", "theirs")] {
            let past = reader.read(&tenant(name), start(), after(100), MUCH).await.unwrap();
            assert_eq!(ids(&past), [wanted]);
        }
    }
}

#[tokio::test]
async fn known_slices_count_for_the_bound_of_a_read() {
    let t = TestHistory::create().await;
    for number in 0..10 {
        t.record_id(&format!("e{number}"), "urn:a", after(number)).await;
    }
    let reader = t.reader();
    assert_eq!(reader.read(&tenant("demo"), start(), after(100), MUCH).await.unwrap().events.len(), 10);
    assert!(reader.read(&tenant("demo"), start(), after(100), 500).await.is_err());
}
