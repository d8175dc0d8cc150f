//! From a pattern to the items that texts are made of.

/// Why a pattern is none, in the words of Java's `IllegalArgumentException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalPattern {
    /// A letter that stands for nothing.
    #[error("Illegal pattern character '{0}'")]
    Character(char),
    /// An opening quote and no closing one.
    #[error("Unterminated quote")]
    UnterminatedQuote,
    /// More than three times `X`.
    #[error("invalid ISO 8601 format: length={0}")]
    IsoZone(usize),
}

/// What a letter of a pattern stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letter {
    Era,
    Year,
    WeekYear,
    /// `M` and `L`: the two differ in languages other than English.
    Month,
    DayOfMonth,
    /// `k`: 1 to 24.
    HourOfDay1,
    /// `H`: 0 to 23.
    HourOfDay0,
    Minute,
    Second,
    Millisecond,
    DayOfWeek,
    DayOfYear,
    DayOfWeekInMonth,
    WeekOfYear,
    WeekOfMonth,
    AmPm,
    /// `h`: 1 to 12.
    Hour1,
    /// `K`: 0 to 11.
    Hour0,
    ZoneName,
    ZoneValue,
    /// `u`: Monday is 1.
    IsoDayOfWeek,
    IsoZone,
}

impl Letter {
    fn of(character: char) -> Result<Self, IllegalPattern> {
        Ok(match character {
            'G' => Self::Era,
            'y' => Self::Year,
            'Y' => Self::WeekYear,
            'M' | 'L' => Self::Month,
            'd' => Self::DayOfMonth,
            'k' => Self::HourOfDay1,
            'H' => Self::HourOfDay0,
            'm' => Self::Minute,
            's' => Self::Second,
            'S' => Self::Millisecond,
            'E' => Self::DayOfWeek,
            'D' => Self::DayOfYear,
            'F' => Self::DayOfWeekInMonth,
            'w' => Self::WeekOfYear,
            'W' => Self::WeekOfMonth,
            'a' => Self::AmPm,
            'h' => Self::Hour1,
            'K' => Self::Hour0,
            'z' => Self::ZoneName,
            'Z' => Self::ZoneValue,
            'u' => Self::IsoDayOfWeek,
            'X' => Self::IsoZone,
            other => return Err(IllegalPattern::Character(other)),
        })
    }

    /// Whether a text has digits here, so that a number right before it must end in time.
    pub(super) fn is_numeric(self, count: usize) -> bool {
        match self {
            Self::Month => count <= 2,
            Self::Era
            | Self::DayOfWeek
            | Self::AmPm
            | Self::ZoneName
            | Self::ZoneValue
            | Self::IsoZone => false,
            _ => true,
        }
    }
}

/// A part of a compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Text as it stands.
    Literal(String),
    /// A letter and how often it was repeated.
    Field(Letter, usize),
}

/// Compiles a pattern.
pub(super) fn compile(pattern: &str) -> Result<Vec<Item>, IllegalPattern> {
    let mut items = Items::default();
    let mut quoted = false;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\'' {
            if quoted || !character.is_ascii_alphabetic() {
                items.literal(character)?;
            } else {
                items.letter(character)?;
            }
        } else if characters.next_if_eq(&'\'').is_some() {
            items.literal('\'')?;
        } else {
            items.end_run()?;
            quoted = !quoted;
        }
    }
    if quoted {
        return Err(IllegalPattern::UnterminatedQuote);
    }
    items.end_run()?;
    Ok(items.done)
}

#[derive(Default)]
struct Items {
    done: Vec<Item>,
    /// The letters before this place that are the same: the letter as written, what it means, how many.
    run: Option<(char, Letter, usize)>,
}

impl Items {
    /// An unknown letter counts before a fault of the run that it ends, as in Java.
    fn letter(&mut self, character: char) -> Result<(), IllegalPattern> {
        let letter = Letter::of(character)?;
        match &mut self.run {
            Some((same, _, count)) if *same == character => *count += 1,
            _ => {
                self.end_run()?;
                self.run = Some((character, letter, 1));
            }
        }
        Ok(())
    }

    fn literal(&mut self, character: char) -> Result<(), IllegalPattern> {
        self.end_run()?;
        match self.done.last_mut() {
            Some(Item::Literal(text)) => text.push(character),
            _ => self.done.push(Item::Literal(character.into())),
        }
        Ok(())
    }

    fn end_run(&mut self) -> Result<(), IllegalPattern> {
        let Some((_, letter, count)) = self.run.take() else {
            return Ok(());
        };
        if letter == Letter::IsoZone && count > 3 {
            return Err(IllegalPattern::IsoZone(count));
        }
        self.done.push(Item::Field(letter, count));
        Ok(())
    }
}
