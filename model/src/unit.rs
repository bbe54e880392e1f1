//! Units of measurement: which there are, what they measure, how one becomes another.
//!
//! Names are those of UCUM or of everyday use; both find the same unit. A unit of another spelling is not guessed. Factors
//! are kept as a fraction, so that 0.3 m are 30 cm and not 29.999999999999996.

use std::fmt;

/// How many base quantities there are.
const BASES: usize = 12;

/// What is measured: powers of the base quantities, in the order of [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dimension([i8; BASES]);

/// A unit: the value `v` is `(v - zero) * factor` in the base unit of its dimension.
#[derive(Debug, PartialEq)]
pub struct Unit {
    /// Its name in rules and on screens.
    pub name: &'static str,
    /// Other spellings, UCUM's among them.
    pub aliases: &'static [&'static str],
    /// What it measures.
    pub dimension: Dimension,
    /// The factor to the base unit, as a fraction.
    factor: (f64, f64),
    /// Where the scale has its zero, in itself: 32 for degrees Fahrenheit, whose base is degrees Celsius.
    pub zero: f64,
}

/// From one unit into another of the same dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    zero: f64,
    times: f64,
    by: f64,
    offset: f64,
}

impl Dimension {
    /// A plain number.
    pub const NONE: Dimension = Dimension([0; BASES]);
    /// Time.
    pub const TIME: Dimension = base(2);

    /// This quantity in a time.
    pub fn per_time(self) -> Self {
        self.over(Self::TIME)
    }

    /// The product of two quantities.
    pub fn times(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_add(other.0[at])))
    }

    /// The quotient of two quantities.
    pub fn over(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_sub(other.0[at])))
    }
}

/// What the bases are called, by place.
const NAMES: [&str; BASES] = [
    "length",
    "mass",
    "time",
    "current",
    "temperature",
    "illuminance",
    "share",
    "sound level",
    "angle",
    "count",
    "acidity",
    "turbidity",
];

/// A word where there is one, else the powers.
impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("a plain number");
        }
        let words = [
            (SPEED, "speed"),
            (VOLUME, "volume"),
            (FLOW, "flow"),
            (PRESSURE, "pressure"),
            (POWER, "power"),
            (ENERGY, "energy"),
            (VOLTAGE, "voltage"),
            (DENSITY, "concentration"),
            (CONDUCTIVITY, "conductivity"),
            (FREQUENCY, "frequency"),
        ];
        if let Some((_, word)) = words.iter().find(|(known, _)| known == self) {
            return f.write_str(word);
        }
        let mut parts = NAMES.iter().zip(self.0).filter(|(_, power)| *power != 0);
        let first = parts.next();
        first.into_iter().chain(parts).enumerate().try_for_each(|(at, (name, power))| {
            let dot = if at == 0 { "" } else { " * " };
            if power == 1 { write!(f, "{dot}{name}") } else { write!(f, "{dot}{name}^{power}") }
        })
    }
}

const fn base(place: usize) -> Dimension {
    let mut powers = [0; BASES];
    powers[place] = 1;
    Dimension(powers)
}

/// Powers of length, mass, time and current.
const fn mixed(length: i8, mass: i8, time: i8, current: i8) -> Dimension {
    let mut powers = [0; BASES];
    powers[0] = length;
    powers[1] = mass;
    powers[2] = time;
    powers[3] = current;
    Dimension(powers)
}

const LENGTH: Dimension = base(0);
const MASS: Dimension = base(1);
const CURRENT: Dimension = base(3);
const TEMPERATURE: Dimension = base(4);
const ILLUMINANCE: Dimension = base(5);
const SHARE: Dimension = base(6);
const SOUND: Dimension = base(7);
const ANGLE: Dimension = base(8);
const COUNT: Dimension = base(9);
const ACIDITY: Dimension = base(10);
const TURBIDITY: Dimension = base(11);
const SPEED: Dimension = mixed(1, 0, -1, 0);
const VOLUME: Dimension = mixed(3, 0, 0, 0);
const FLOW: Dimension = mixed(3, 0, -1, 0);
const PRESSURE: Dimension = mixed(-1, 1, -2, 0);
const POWER: Dimension = mixed(2, 1, -3, 0);
const ENERGY: Dimension = mixed(2, 1, -2, 0);
const VOLTAGE: Dimension = mixed(2, 1, -3, -1);
const DENSITY: Dimension = mixed(-3, 1, 0, 0);
const CONDUCTIVITY: Dimension = mixed(-3, -1, 3, 2);
const FREQUENCY: Dimension = mixed(0, 0, -1, 0);

const fn unit(
    name: &'static str,
    aliases: &'static [&'static str],
    dimension: Dimension,
    times: f64,
    by: f64,
    zero: f64,
) -> Unit {
    Unit { name, aliases, dimension, factor: (times, by), zero }
}

/// Every unit that is known.
pub static UNITS: &[Unit] = &[
    unit("m", &[], LENGTH, 1.0, 1.0, 0.0),
    unit("cm", &[], LENGTH, 1.0, 100.0, 0.0),
    unit("mm", &[], LENGTH, 1.0, 1_000.0, 0.0),
    unit("km", &[], LENGTH, 1_000.0, 1.0, 0.0),
    unit("g", &[], MASS, 1.0, 1_000.0, 0.0),
    unit("kg", &[], MASS, 1.0, 1.0, 0.0),
    unit("t", &[], MASS, 1_000.0, 1.0, 0.0),
    unit("ms", &[], Dimension::TIME, 1.0, 1_000.0, 0.0),
    unit("s", &[], Dimension::TIME, 1.0, 1.0, 0.0),
    unit("min", &[], Dimension::TIME, 60.0, 1.0, 0.0),
    unit("h", &[], Dimension::TIME, 3_600.0, 1.0, 0.0),
    unit("d", &[], Dimension::TIME, 86_400.0, 1.0, 0.0),
    unit("mA", &[], CURRENT, 1.0, 1_000.0, 0.0),
    unit("A", &[], CURRENT, 1.0, 1.0, 0.0),
    unit("degC", &["Cel", "°C", "℃"], TEMPERATURE, 1.0, 1.0, 0.0),
    unit("degF", &["[degF]", "°F", "℉"], TEMPERATURE, 5.0, 9.0, 32.0),
    unit("K", &[], TEMPERATURE, 1.0, 1.0, 273.15),
    unit("lx", &[], ILLUMINANCE, 1.0, 1.0, 0.0),
    unit("%", &["percent", "%RH"], SHARE, 1.0, 100.0, 0.0),
    unit("ppm", &["[ppm]", "[ppmv]"], SHARE, 1.0, 1e6, 0.0),
    unit("ppb", &["[ppb]"], SHARE, 1.0, 1e9, 0.0),
    unit("dB", &["dBA", "dB(A)", "dB[SPL]"], SOUND, 1.0, 1.0, 0.0),
    unit("deg", &["°"], ANGLE, 1.0, 1.0, 0.0),
    unit("mdeg", &[], ANGLE, 1.0, 1_000.0, 0.0),
    unit("rad", &[], ANGLE, 180.0, std::f64::consts::PI, 0.0),
    unit("count", &["1", "{count}", "{people}", "people"], COUNT, 1.0, 1.0, 0.0),
    unit("pH", &["[pH]"], ACIDITY, 1.0, 1.0, 0.0),
    unit("NTU", &["[NTU]", "{NTU}"], TURBIDITY, 1.0, 1.0, 0.0),
    unit("m/s", &[], SPEED, 1.0, 1.0, 0.0),
    unit("km/h", &[], SPEED, 10.0, 36.0, 0.0),
    unit("m/h", &[], SPEED, 1.0, 3_600.0, 0.0),
    unit("cm/h", &[], SPEED, 1.0, 360_000.0, 0.0),
    unit("mm/h", &[], SPEED, 1.0, 3_600_000.0, 0.0),
    unit("mm/d", &[], SPEED, 1.0, 86_400_000.0, 0.0),
    unit("m3", &["m³"], VOLUME, 1.0, 1.0, 0.0),
    unit("L", &["l"], VOLUME, 1.0, 1_000.0, 0.0),
    unit("m3/s", &["m³/s"], FLOW, 1.0, 1.0, 0.0),
    unit("m3/h", &["m³/h"], FLOW, 1.0, 3_600.0, 0.0),
    unit("L/s", &["l/s"], FLOW, 1.0, 1_000.0, 0.0),
    unit("Pa", &[], PRESSURE, 1.0, 1.0, 0.0),
    unit("hPa", &["mbar"], PRESSURE, 100.0, 1.0, 0.0),
    unit("kPa", &[], PRESSURE, 1_000.0, 1.0, 0.0),
    unit("MPa", &[], PRESSURE, 1e6, 1.0, 0.0),
    unit("bar", &[], PRESSURE, 1e5, 1.0, 0.0),
    unit("W", &[], POWER, 1.0, 1.0, 0.0),
    unit("kW", &[], POWER, 1_000.0, 1.0, 0.0),
    unit("MW", &[], POWER, 1e6, 1.0, 0.0),
    unit("Wh", &["W.h"], ENERGY, 3_600.0, 1.0, 0.0),
    unit("kWh", &["kW.h"], ENERGY, 3.6e6, 1.0, 0.0),
    unit("MWh", &["MW.h"], ENERGY, 3.6e9, 1.0, 0.0),
    unit("mV", &[], VOLTAGE, 1.0, 1_000.0, 0.0),
    unit("V", &[], VOLTAGE, 1.0, 1.0, 0.0),
    unit("kV", &[], VOLTAGE, 1_000.0, 1.0, 0.0),
    unit("ug/m3", &["µg/m3", "ug/m³", "µg/m³", "μg/m3", "μg/m³"], DENSITY, 1.0, 1e9, 0.0),
    unit("mg/m3", &["mg/m³"], DENSITY, 1.0, 1e6, 0.0),
    unit("mg/L", &["mg/l"], DENSITY, 1.0, 1_000.0, 0.0),
    unit("uS/cm", &["µS/cm", "μS/cm"], CONDUCTIVITY, 1.0, 1e4, 0.0),
    unit("mS/cm", &[], CONDUCTIVITY, 1.0, 10.0, 0.0),
    unit("Hz", &[], FREQUENCY, 1.0, 1.0, 0.0),
];

impl Unit {
    /// The unit of a name or of another spelling.
    pub fn find(text: &str) -> Option<&'static Unit> {
        let text = text.trim();
        UNITS.iter().find(|unit| unit.name == text || unit.aliases.contains(&text))
    }

    /// The factor to the base unit of its dimension.
    pub fn factor(&self) -> f64 {
        self.factor.0 / self.factor.1
    }

    /// How a value in this unit becomes one in another; none when they measure different things.
    pub fn to(&self, other: &Unit) -> Option<Conversion> {
        (self.dimension == other.dimension).then_some(Conversion {
            zero: self.zero,
            times: self.factor.0 * other.factor.1,
            by: self.factor.1 * other.factor.0,
            offset: other.zero,
        })
    }
}

impl Conversion {
    /// A value.
    pub fn value(self, value: f64) -> f64 {
        (value - self.zero) * self.times / self.by + self.offset
    }

    /// A difference of two values, or a rate: the scales' zeros do not count.
    pub fn step(self, step: f64) -> f64 {
        step * self.times / self.by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(value: f64, from: &str, to: &str) -> f64 {
        Unit::find(from).unwrap().to(Unit::find(to).unwrap()).unwrap().value(value)
    }

    #[test]
    fn one_becomes_another_without_dust() {
        for (value, from, to, expected) in [
            (0.3, "m", "cm", 30.0),
            (30.0, "cm", "m", 0.3),
            (57.0, "degC", "degF", 134.6),
            (212.0, "[degF]", "Cel", 100.0),
            (0.0, "degC", "K", 273.15),
            (10.0, "m/s", "km/h", 36.0),
            (1_013.25, "hPa", "kPa", 101.325),
            (1.0, "kWh", "Wh", 1_000.0),
            (75.0, "µg/m³", "mg/m3", 0.075),
            (5.0, "%", "ppm", 50_000.0),
            (36.0, "m3/h", "L/s", 10.0),
        ] {
            assert_eq!(convert(value, from, to), expected, "{value} {from} in {to}");
        }
    }

    #[test]
    fn a_step_of_temperature_knows_no_zero() {
        let to = Unit::find("degC").unwrap().to(Unit::find("degF").unwrap()).unwrap();
        assert_eq!((to.value(10.0), to.step(10.0)), (50.0, 18.0));
    }

    #[test]
    fn different_things_do_not_become_each_other() {
        for (a, b) in [("m", "degC"), ("%", "count"), ("kW", "kWh"), ("ppm", "ug/m3"), ("mm", "mm/h")] {
            assert_eq!(Unit::find(a).unwrap().to(Unit::find(b).unwrap()), None, "{a} {b}");
        }
        assert_eq!(Unit::find("furlong"), None);
    }

    #[test]
    fn every_spelling_names_one_unit_and_every_conversion_comes_back() {
        let mut seen = std::collections::BTreeSet::new();
        for unit in UNITS {
            for name in std::iter::once(&unit.name).chain(unit.aliases) {
                assert!(seen.insert(*name), "{name} twice");
            }
            for other in UNITS {
                let (Some(there), Some(back)) = (unit.to(other), other.to(unit)) else { continue };
                let value = back.value(there.value(12.5));
                assert!((value - 12.5).abs() < 1e-9, "{} {}: {value}", unit.name, other.name);
            }
        }
    }

    #[test]
    fn dimensions_have_words() {
        let word = |name: &str| Unit::find(name).unwrap().dimension.to_string();
        assert_eq!(word("m"), "length");
        assert_eq!(word("km/h"), "speed");
        assert_eq!(Unit::find("degC").unwrap().dimension.per_time().to_string(), "time^-1 * temperature");
        assert_eq!(Unit::find("V").unwrap().dimension.times(CURRENT), POWER);
        assert_eq!(Dimension::NONE.to_string(), "a plain number");
        assert_eq!((Unit::find("kPa").unwrap().factor(), Unit::find("mm").unwrap().factor()), (1_000.0, 0.001));
    }
}
