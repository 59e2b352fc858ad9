use std::str::FromStr;

/// The NGSI format of the attributes in `data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NgsiFormat {
    /// NGSI-LD's normalized format (ETSI GS CIM 009): `Property`, `GeoProperty`, `LanguageProperty` and `Relationship`. An
    /// entity may have several types.
    #[default]
    NgsiLd,
    /// NGSIv2's normalized format: `type`, `value` and `metadata`. An entity has one type.
    NgsiV2,
}

/// The text is not the name of an NGSI format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a format is ngsi-ld or ngsi-v2")]
pub struct InvalidNgsiFormat;

impl NgsiFormat {
    /// Every format; the first is the default.
    pub const ALL: [Self; 2] = [Self::NgsiLd, Self::NgsiV2];

    /// The name in options and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NgsiLd => "ngsi-ld",
            Self::NgsiV2 => "ngsi-v2",
        }
    }
}

impl FromStr for NgsiFormat {
    type Err = InvalidNgsiFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or(InvalidNgsiFormat)
    }
}

/// The form of the simulated events. By default they are whole entities in NGSI-LD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventForm {
    /// The format of the attributes.
    pub format: NgsiFormat,
    /// True if the `data` of an update has only the attributes that changed, false if it has the whole entity.
    /// `changedAttributes` names the changed ones in both cases.
    pub partial: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_by_its_name() {
        for format in NgsiFormat::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        for text in ["", "NGSI-LD", "ngsi", "json"] {
            assert_eq!(text.parse::<NgsiFormat>(), Err(InvalidNgsiFormat), "{text}");
        }
        assert_eq!(NgsiFormat::default(), NgsiFormat::ALL[0]);
    }
}
