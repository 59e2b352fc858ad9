//! Measures the most expensive patterns that a client can send: the time to refuse or compile them, their memory, and the
//! time to match ids of 256 characters.
//!
//! Run it with `cargo bench -p entity-stream-protocol --bench hostile_patterns`. `BENCHMARKS.md` has the figures.

#![expect(clippy::print_stdout, reason = "the benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a failed benchmark has no figures")]

use std::time::{Duration, Instant};

use entity_stream_protocol::limits::ID_PATTERN_LENGTH;
use entity_stream_protocol::{IdPattern, PatternMatcher};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Creates the pattern of a number. Larger numbers cost more, until the pattern is refused.
type Family = fn(usize) -> String;

const FAMILIES: [(&str, Family); 36] = [
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
    ("optional letters, so many", |n| format!("(?:[a-z]?[b-y]?){{{n}}}[^a-z\u{407}]")),
    ("optional letters, anchored", |n| format!("^(?:[a-z]?[b-y]?){{{n}}}[^a-z]")),
    ("optional letters, up to the end", |n| format!("(?:a?b?c?d?){{{n}}}$")),
    ("optional letters at word boundaries", |n| format!(r"(?:\b[a-z]?\b[b-y]?){{{n}}}[^a-z]")),
    ("optional word characters", |n| format!(r"(?:\w?){{{n}}}!")),
    ("optional word characters at word boundaries", |n| format!(r"(?:\b\w?){{{n}}}!")),
    ("optional characters of any kind", |n| format!("(?s)(?:.?[^a]?){{{n}}}!!")),
    ("a and b of two bytes", |n| format!("[\u{e4}\u{f6}]*\u{e4}[\u{e4}\u{f6}]{{0,{n}}}!")),
    ("a and b of four bytes", |n| format!("[\u{1d4b3}\u{1d4b4}]*\u{1d4b3}[\u{1d4b3}\u{1d4b4}]{{0,{n}}}!")),
    ("any character of four bytes, up to so many", |n| format!("\u{20000}[\u{20000}-\u{2fffd}a]{{0,{n}}}!")),
    ("so many words between anything", |n| vec![r"\w+.*"; n].join("\u{20000}")),
    ("so many classes between anything", |n| vec!["[^:]*[^;]*"; n].join("a")),
    ("alternation of ids", |n| (0..n).map(|i| format!("Room:{i:03}")).collect::<Vec<_>>().join("|")),
    ("alternation of ids of any case", |n| {
        format!("(?i)^(?:{})$", (0..n).map(|i| format!("urn:Room:{i:03}")).collect::<Vec<_>>().join("|"))
    }),
];

fn letters(n: usize) -> Vec<&'static str> {
    ["a", "b", "c", "d", "e", "f", "g"].into_iter().cycle().take(n).collect()
}

/// The number of patterns that are mixed at random from parts of the families.
const RANDOM_PATTERNS: usize = 3_000;
/// The length of the measured ids, in characters. The time to match is in proportion to the length.
const ID_LENGTH: usize = 256;

fn main() {
    let (narrow, wide) = (narrow_ids(), wide_ids());
    println!(
        "the most expensive of each kind              refusing  compiling    memory      kept  matching  wide ids"
    );
    let mut worst = Cost::default();
    for (name, family) in FAMILIES {
        let mut most = Cost::default();
        for text in sizes().map(family).take_while(|text| text.chars().count() <= ID_PATTERN_LENGTH) {
            most.take(&measure(&text, &narrow, &wide));
        }
        most.print(name);
        worst.take(&most);
    }
    let mut most = Cost::default();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..RANDOM_PATTERNS {
        let text = random.pattern(3);
        if text.chars().count() <= ID_PATTERN_LENGTH {
            most.take(&measure(&text, &narrow, &wide));
        }
    }
    most.print("random mixtures");
    worst.take(&most);
    worst.print("any");
}

/// All small numbers, and larger numbers at growing distances.
fn sizes() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1), |n| Some(n + 1 + n / 16)).take_while(|n| *n < 100_000)
}

#[derive(Default)]
struct Cost {
    refusal: Duration,
    compiling: Duration,
    /// The peak of memory during compilation, in bytes.
    peak: usize,
    /// The memory after the matches, in bytes.
    kept: usize,
    /// The time to match an id of ASCII characters.
    matching: Duration,
    /// The time to match an id of characters of up to four bytes.
    matching_wide: Duration,
}

impl Cost {
    fn take(&mut self, other: &Self) {
        self.refusal = self.refusal.max(other.refusal);
        self.compiling = self.compiling.max(other.compiling);
        self.peak = self.peak.max(other.peak);
        self.kept = self.kept.max(other.kept);
        self.matching = self.matching.max(other.matching);
        self.matching_wide = self.matching_wide.max(other.matching_wide);
    }

    fn print(&self, name: &str) {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "{name:<43} {:>6.2} ms {:>7.2} ms {:>5} KiB {:>5} KiB {:>6.2} ms {:>6.2} ms",
            millis(self.refusal),
            millis(self.compiling),
            self.peak / 1024,
            self.kept / 1024,
            millis(self.matching),
            millis(self.matching_wide),
        );
    }
}

fn measure(text: &str, narrow: &[String], wide: &[String]) -> Cost {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let parsed = IdPattern::parse(text);
    let peak = ALLOCATOR.peak_usage() - before;
    let Ok(pattern) = parsed else {
        let refusal = quickest(|| IdPattern::parse(text).is_err());
        return Cost { refusal, peak, ..Cost::default() };
    };
    // A client costs this time when it sends the pattern. The function compiles it once more, without the check.
    let compiling = quickest(|| IdPattern::parse(text));
    let matcher = PatternMatcher::compile(&pattern).unwrap();
    let slowest = |ids: &[String]| ids.iter().map(|id| quickest(|| matcher.matches(id))).max().unwrap();
    let (matching, matching_wide) = (slowest(narrow), slowest(wide));
    let kept = ALLOCATOR.current_usage() - before;
    Cost { refusal: Duration::ZERO, compiling, peak, kept, matching, matching_wide }
}

/// The shortest of a few times. Other work of the machine makes a time longer, never shorter.
fn quickest<T>(work: impl Fn() -> T) -> Duration {
    let time = || {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..5).map(|_| time()).min().unwrap_or_default()
}

/// Ids of ASCII characters: few distinct ones, and many. A matcher reads them to their end.
fn narrow_ids() -> Vec<String> {
    ids(&["a", "ab", "ax", "abcd", "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz:-_0123456789"])
}

/// Ids of characters of up to four bytes.
fn wide_ids() -> Vec<String> {
    ids(&[
        "\u{10ffff}",
        "\u{20000}a",
        "\u{e4}\u{f6}",
        "\u{1d4b3}\u{1d4b4}",
        "a\u{e4}\u{df}\u{436}\u{3042}\u{6f22}\u{1d4b3} \u{20000}b",
    ])
}

/// Two ids from each alphabet: one repeats it, one takes its characters at random.
fn ids(alphabets: &[&str]) -> Vec<String> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut ids = Vec::new();
    for alphabet in alphabets {
        let alphabet: Vec<char> = alphabet.chars().collect();
        ids.push(alphabet.iter().cycle().take(ID_LENGTH).collect());
        ids.push((0..ID_LENGTH).map(|_| alphabet[random.below(alphabet.len())]).collect());
    }
    ids
}

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn pattern(&mut self, depth: usize) -> String {
        const ATOMS: [&str; 12] =
            ["a", "b", "[a-z]", "[b-y]", ".", "[^a]", "[ab]", "\u{e4}", "[\u{e4}\u{f6}]", "\u{1d4b3}", r"\d", r"\b"];
        if depth == 0 {
            return ATOMS[self.below(ATOMS.len())].to_owned();
        }
        let parts: Vec<String> = (0..1 + self.below(3)).map(|_| self.pattern(depth - 1)).collect();
        let body = format!("(?:{})", parts.join(["", "|"][self.below(2)]));
        match self.below(6) {
            0 => format!("{body}?"),
            1 => format!("{body}*"),
            2 => format!("{body}{{0,{}}}", 1 + self.below(60)),
            3 => format!("{body}{{{}}}", 1 + self.below(60)),
            _ => body,
        }
    }
}
