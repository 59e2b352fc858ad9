//! Dates and times as numbers.

/// Nanoseconds from 1970-01-01T00:00:00Z to a date, whose time is midnight, or to a date with a time.
pub(crate) fn date_time(text: &str) -> Option<i128> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let since_midnight = match time {
        Some(time) => time_of_day(time)?,
        None => 0,
    };
    Some(days(date)? * 86_400_000_000_000 + since_midnight)
}

/// Nanoseconds from midnight UTC to a time such as `03:04:05`, `03:04:05.5Z` and `12:04:05+09:00`.
pub(crate) fn time_of_day(text: &str) -> Option<i128> {
    let place = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, offset) = text.split_at(place);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hours, minutes, seconds] = numbers(clock, ':')?;
    if hours > 23 || minutes > 59 || seconds > 59 || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    if !fraction.bytes().all(|each| each.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some((hours * 3600 + minutes * 60 + seconds - offset_seconds(offset)?) * 1_000_000_000 + nanoseconds)
}

fn offset_seconds(text: &str) -> Option<i128> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('+') { 1 } else { -1 };
    let [hours, minutes] = numbers(text.get(1..)?, ':')?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days from 1970-01-01, counted one by one.
fn days(text: &str) -> Option<i128> {
    let (year, rest) = text.split_once('-')?;
    let [month, day] = numbers(rest, '-')?;
    if year.len() != 4 || !year.bytes().all(|each| each.is_ascii_digit()) {
        return None;
    }
    let year: i128 = year.parse().ok()?;
    if !(1..=12).contains(&month) || day < 1 || day > days_of(month, year) {
        return None;
    }
    let years: i128 = if year >= 1970 {
        (1970..year).map(|each| 337 + days_of(2, each)).sum()
    } else {
        -(year..1970).map(|each| 337 + days_of(2, each)).sum::<i128>()
    };
    Some(years + (1..month).map(|each| days_of(each, year)).sum::<i128>() + day - 1)
}

fn days_of(month: i128, year: i128) -> i128 {
    match month {
        2 if year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Numbers of two digits each.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[i128; N]> {
    let mut read = Vec::new();
    for part in text.split(between) {
        if part.len() != 2 || !part.bytes().all(|each| each.is_ascii_digit()) {
            return None;
        }
        read.push(part.parse().ok()?);
    }
    read.try_into().ok()
}

#[test]
fn instants_are_those_of_the_calendar() {
    assert_eq!(date_time("1970-01-02"), Some(86_400_000_000_000));
    assert_eq!(date_time("2000-03-01T00:00:00Z"), Some(951_868_800_000_000_000));
    assert_eq!(date_time("1969-12-31T23:59:59.5Z"), Some(-500_000_000));
    assert_eq!(date_time("2026-01-02T03:04:05+09:00"), date_time("2026-01-01T18:04:05"));
    assert_eq!(date_time("2025-02-29"), None);
}
