//! Measures the most expensive patterns that a client can send: the time to refuse or compile them, their memory, and the
//! time to match the longest ids.
//!
//! Run it with `cargo bench -p entity-stream-protocol --bench hostile_patterns`. `BENCHMARKS.md` has the figures.

#![expect(clippy::print_stdout, reason = "the benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a failed benchmark has no figures")]

use std::time::{Duration, Instant};

use entity_stream_protocol::limits::{ENTITY_ID_LENGTH, ID_PATTERN_LENGTH};
use entity_stream_protocol::{IdPattern, PatternMatcher};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Creates the pattern of a number. Larger numbers cost more, until the pattern is refused.
type Family = fn(usize) -> String;

const FAMILIES: [(&str, Family); 22] = [
    ("word characters, repeated", |n| format!(r"\w{{{n}}}")),
    ("word characters, up to so many", |n| format!(r"\w{{0,{n}}}")),
    ("letters of all scripts, side by side", |n| r"\pL".repeat(n)),
    ("the same, of any case", |n| format!("(?i){}", r"\pL".repeat(n))),
    ("all but letters, repeated", |n| format!(r"[^\pL]{{{n}}}")),
    ("all there is, of any case", |n| format!("(?i){}", "[\u{0}-\u{10ffff}]".repeat(n))),
    ("all but one, within each other, of any case", |n| format!("(?i){}b{}", "[^a".repeat(n), "]".repeat(n))),
    ("union of large classes", |n| format!("[{}]", r"\pL\PN".repeat(n))),
    ("union of large classes, of any case", |n| format!("(?i)[{}]", r"\pL".repeat(n))),
    ("intersection of large classes, of any case", |n| format!("(?i)[{}]", vec![r"\w"; n].join("&&"))),
    ("symmetric difference of large classes", |n| format!("[{}]", vec![r"\pL"; n].join("~~"))),
    ("alternation of large classes", |n| vec![r"\w\d"; n].join("|")),
    ("alternation of letters", |n| letters(n).join("|")),
    ("alternation of letters of any case", |n| format!("(?i:{})", letters(n).join("|"))),
    ("nested repetition", |n| format!("((a{{0,{n}}}){{0,{n}}}){{0,{n}}}")),
    ("nested repetition of nothing", |n| format!("(((){{{n}}}){{{n}}}){{{n}}}")),
    ("nested stars", |n| format!("{}a{}", "(".repeat(n), "*)*".repeat(n))),
    ("word boundaries", |n| r"\b\w?".repeat(n)),
    ("anchored, one way to match", |n| format!(r"^{}[\w-]+$", letters(n).join(":"))),
    ("any character, so many after an a", |n| format!("(?s).*a.{{{n}}}b")),
    ("a or b, up to so many after an a", |n| format!("[ab]*a[ab]{{0,{n}}}c")),
    ("so many a, anything between them", |n| format!("(?:(?:a|b)*a){{{n}}}c")),
];

fn letters(n: usize) -> Vec<&'static str> {
    ["a", "b", "c", "d", "e", "f", "g"].into_iter().cycle().take(n).collect()
}

fn main() {
    let ids = longest_ids();
    println!("the most expensive of each kind                refusing   compiling      memory        kept    matching");
    let mut worst = Cost::default();
    for (name, family) in FAMILIES {
        let mut most = Cost::default();
        for text in sizes().map(family).take_while(|text| text.chars().count() <= ID_PATTERN_LENGTH) {
            most.take(&measure(&text, &ids));
        }
        most.print(name);
        worst.take(&most);
    }
    worst.print("any");
}

/// All small numbers, and larger numbers at growing distances.
fn sizes() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1), |n| Some(n + 1 + n / 8)).take_while(|n| *n < 100_000)
}

#[derive(Default)]
struct Cost {
    refusal: Duration,
    compiling: Duration,
    /// The peak of memory during compilation, in bytes.
    peak: usize,
    /// The memory after the matches, in bytes.
    kept: usize,
    matching: Duration,
}

impl Cost {
    fn take(&mut self, other: &Self) {
        self.refusal = self.refusal.max(other.refusal);
        self.compiling = self.compiling.max(other.compiling);
        self.peak = self.peak.max(other.peak);
        self.kept = self.kept.max(other.kept);
        self.matching = self.matching.max(other.matching);
    }

    fn print(&self, name: &str) {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "{name:<45} {:>7.2} ms  {:>7.2} ms {:>7} KiB {:>7} KiB  {:>7.2} ms",
            millis(self.refusal),
            millis(self.compiling),
            self.peak / 1024,
            self.kept / 1024,
            millis(self.matching),
        );
    }
}

fn measure(text: &str, ids: &[String]) -> Cost {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let parsed = IdPattern::parse(text);
    let peak = ALLOCATOR.peak_usage() - before;
    let Ok(pattern) = parsed else {
        let refusal = quickest(|| IdPattern::parse(text).is_err());
        return Cost { refusal, peak, ..Cost::default() };
    };
    let compiling = quickest(|| PatternMatcher::compile(&pattern));
    let matcher = PatternMatcher::compile(&pattern).unwrap();
    let matching = ids.iter().map(|id| quickest(|| matcher.matches(id))).max().unwrap();
    Cost { refusal: Duration::ZERO, compiling, peak, kept: ALLOCATOR.current_usage() - before, matching }
}

/// The shortest of a few times. Other work of the machine makes a time longer, never shorter.
fn quickest<T>(work: impl Fn() -> T) -> Duration {
    let time = || {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..3).map(|_| time()).min().unwrap_or_default()
}

/// Ids of the greatest length: with few distinct characters, with many, and with characters of all widths. A matcher reads
/// them to their end.
fn longest_ids() -> Vec<String> {
    let fill = |text: &str| text.chars().cycle().take(ENTITY_ID_LENGTH).collect::<String>();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let pseudorandom = |next: &mut dyn FnMut() -> u64, alphabet: &str| {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..ENTITY_ID_LENGTH).map(|_| alphabet[(next() % alphabet.len() as u64) as usize]).collect::<String>()
    };
    vec![
        fill("a"),
        fill("ab"),
        fill("\u{10ffff}"),
        fill("\u{20000}a"),
        pseudorandom(&mut next, "ab"),
        pseudorandom(&mut next, "abcdefghijklmnopqrstuvwxyz:-_0123456789"),
        pseudorandom(&mut next, "aäßжあ漢𝒳 \u{20000}b"),
    ]
}
