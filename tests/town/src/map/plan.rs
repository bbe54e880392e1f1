//! The town's plan: streets, bridges and what lies between them, in the river's frame.
//!
//! Hand-made, so that the places the cameras and the script speak of are always there; the seed bends and scatters.

use super::frame::{Frame, Uv};

/// A road or bridge.
pub struct Road {
    /// Name; empty on tracks.
    pub name: &'static str,
    /// `main`, `street`, `lane` or `track`.
    pub class: &'static str,
    /// Its course.
    pub course: Vec<Uv>,
}

/// What a piece of ground is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Old, dense houses.
    Old,
    /// Rows of flats.
    Flats,
    /// A park.
    Park,
    /// A paved square.
    Square,
    /// A school.
    School,
    /// Government, hospital, market, station, pumping.
    Public(&'static str),
    /// An industrial yard.
    Yard,
}

/// A rectangle of the plan.
pub struct Plot {
    /// Name; empty for houses.
    pub name: &'static str,
    /// What it is for.
    pub ground: Ground,
    /// From, to, along the river.
    pub u: (f64, f64),
    /// From, to, away from the river.
    pub v: (f64, f64),
}

/// Streets along the river, north bank: name, distance from the middle of the river.
const NORTH: [(&str, f64); 5] =
    [("滨江路", 192.0), ("解放路", 335.0), ("人民路", 500.0), ("文化路", 672.0), ("建设路", 850.0)];
/// Streets away from the river, north bank.
const CROSS: [(&str, f64); 11] = [
    ("西门路", -1230.0),
    ("石桥路", -1000.0),
    ("桂花巷", -720.0),
    ("大桥路", BRIDGES[0].1),
    ("青石巷", -180.0),
    ("朝阳街", 80.0),
    ("学府路", 330.0),
    ("和平街", 590.0),
    ("东门路", BRIDGES[1].1),
    ("仓坪路", 1050.0),
    ("东环路", 1265.0),
];
/// Streets of the south bank.
const SOUTH: [(&str, f64); 3] = [("南滨路", -196.0), ("果园路", -345.0), ("南山路", -505.0)];
const SOUTH_CROSS: [(&str, f64); 5] =
    [("南码头路", -1190.0), ("水厂路", -930.0), ("柑橘路", -670.0), ("大桥南路", BRIDGES[0].1), ("竹园路", -160.0)];

/// The two bridges and where they cross.
pub const BRIDGES: [(&str, f64); 2] = [("云汀大桥", -420.0), ("东门大桥", 830.0)];
/// The country roads behind the town.
pub const NORTH_ROAD: f64 = 985.0;
/// South of the river.
pub const SOUTH_ROAD: f64 = -705.0;
/// How far the map reaches to either side.
pub const REACH_U: f64 = 3550.0;

/// Plots with a purpose; houses fill the rest.
const PURPOSES: [Plot; 16] = [
    plot("滨江公园", Ground::Park, (-420.0, -180.0), (192.0, 335.0)),
    plot("人民公园", Ground::Park, (-1000.0, -720.0), (500.0, 672.0)),
    plot("南岸公园", Ground::Park, (-670.0, -420.0), (-505.0, -345.0)),
    plot("人民广场", Ground::Square, (-180.0, -40.0), (335.0, 500.0)),
    plot("镇政府", Ground::Public("government"), (-40.0, 80.0), (335.0, 500.0)),
    plot("中心小学", Ground::School, (80.0, 330.0), (500.0, 672.0)),
    plot("云汀中学", Ground::School, (330.0, 590.0), (672.0, 850.0)),
    plot("南岸小学", Ground::School, (-930.0, -670.0), (-505.0, -345.0)),
    plot("云汀农贸市场", Ground::Public("market"), (-720.0, -420.0), (335.0, 500.0)),
    plot("镇卫生院", Ground::Public("hospital"), (-420.0, -180.0), (672.0, 850.0)),
    plot("云汀客运站", Ground::Public("station"), (830.0, 1050.0), (500.0, 672.0)),
    plot("南岸泵站", Ground::Public("pumping"), (-120.0, -20.0), (-290.0, -200.0)),
    plot("东门物流堆场", Ground::Yard, (1305.0, 1705.0), (205.0, 455.0)),
    plot("云汀化工仓储园", Ground::Yard, (1305.0, 1705.0), (500.0, 720.0)),
    plot("云汀农机厂", Ground::Yard, (1305.0, 1560.0), (760.0, 915.0)),
    plot("柳溪砂石码头", Ground::Yard, (-1700.0, -1460.0), (-330.0, -205.0)),
];

const fn plot(name: &'static str, ground: Ground, u: (f64, f64), v: (f64, f64)) -> Plot {
    Plot { name, ground, u, v }
}

/// All roads, small ones first; hamlets add their tracks.
pub fn roads(hamlets: &[Uv]) -> Vec<Road> {
    let mut roads: Vec<Road> = hamlets.iter().map(|hamlet| track(*hamlet)).collect();
    let mut add = |name, class, from: Uv, to: Uv| roads.push(Road { name, class, course: line(from, to) });
    for (name, u) in CROSS {
        let class = if name.ends_with('巷') { "lane" } else { "street" };
        add(name, class, (u, NORTH[0].1), (u, NORTH_ROAD));
    }
    for (name, v) in NORTH {
        add(name, "street", (CROSS[0].1, v), (CROSS[CROSS.len() - 1].1, v));
    }
    for (name, u) in SOUTH_CROSS {
        add(name, "street", (u, SOUTH[0].1), (u, SOUTH_ROAD));
    }
    for (name, v) in SOUTH {
        add(name, "street", (SOUTH_CROSS[0].1, v), (SOUTH_CROSS[SOUTH_CROSS.len() - 1].1, v));
    }
    add("堆场路", "street", (1265.0, 478.0), (1740.0, 478.0));
    add("竹园公路", "street", (-160.0, SOUTH[0].1 - 60.0), (830.0, -330.0));
    for (name, u) in [("大桥路", BRIDGES[0].1), ("东门路", BRIDGES[1].1)] {
        add(name, "main", (u, 118.0), (u, NORTH_ROAD));
        add(name, "main", (u, -118.0), (u, SOUTH_ROAD));
    }
    add("云北公路", "main", (-REACH_U, NORTH_ROAD + 90.0), (-1230.0, NORTH_ROAD));
    add("云北公路", "main", (-1230.0, NORTH_ROAD), (1265.0, NORTH_ROAD));
    add("云北公路", "main", (1265.0, NORTH_ROAD), (REACH_U, NORTH_ROAD + 60.0));
    add("云南岸公路", "main", (-REACH_U, SOUTH_ROAD - 60.0), (-1190.0, SOUTH_ROAD));
    add("云南岸公路", "main", (-1190.0, SOUTH_ROAD), (830.0, SOUTH_ROAD));
    add("云南岸公路", "main", (830.0, SOUTH_ROAD), (REACH_U, SOUTH_ROAD - 90.0));
    roads
}

/// A hamlet's track to the nearest country road.
fn track((u, v): Uv) -> Road {
    let road = if v > 0.0 { NORTH_ROAD } else { SOUTH_ROAD };
    Road {
        name: "",
        class: "track",
        course: line((u - 70.0, v), (u, v)).into_iter().chain(line((u, v), (u + 25.0, road))).collect(),
    }
}

/// The bridges, from bank to bank.
pub fn bridges(frame: &Frame) -> Vec<Road> {
    BRIDGES
        .iter()
        .map(|&(name, u)| {
            let reach = frame.half_river(u) + 14.0;
            Road { name, class: "main", course: line((u, -reach), (u, reach)) }
        })
        .collect()
}

/// Plots with a purpose, then the blocks of houses between the streets.
pub fn plots() -> Vec<Plot> {
    let mut plots: Vec<Plot> = Vec::new();
    let mut fill = |us: Vec<f64>, vs: Vec<f64>, old: &dyn Fn(f64, f64) -> bool| {
        for u in us.windows(2) {
            for v in vs.windows(2) {
                let (u, v) = ((u[0], u[1]), (v[0], v[1]));
                let middle = ((u.0 + u.1) / 2.0, (v.0 + v.1) / 2.0);
                if PURPOSES.iter().all(|plot| !plot.holds(middle) && !overlaps(plot, u, v)) {
                    let ground = if old(middle.0, middle.1) { Ground::Old } else { Ground::Flats };
                    plots.push(plot("", ground, u, v));
                }
            }
        }
    };
    let lines = |streets: &[(&str, f64)]| streets.iter().map(|street| street.1).collect::<Vec<f64>>();
    fill(lines(&CROSS), lines(&NORTH), &|u, v| {
        u.abs() < 760.0 && v < 500.0 || (-1000.0..-180.0).contains(&u) && v < 700.0
    });
    let mut south = lines(&SOUTH);
    south.reverse();
    fill(lines(&SOUTH_CROSS), south, &|u, _| u < -900.0);
    PURPOSES.into_iter().chain(plots).collect()
}

fn overlaps(plot: &Plot, u: (f64, f64), v: (f64, f64)) -> bool {
    plot.u.0 < u.1 && u.0 < plot.u.1 && plot.v.0 < v.1 && v.0 < plot.v.1
}

impl Plot {
    /// Whether a point of the plan lies on it.
    pub fn holds(&self, (u, v): Uv) -> bool {
        (self.u.0..=self.u.1).contains(&u) && (self.v.0..=self.v.1).contains(&v)
    }
}

/// A straight line of the plan in steps short enough to bend with the river.
pub fn line(from: Uv, to: Uv) -> Vec<Uv> {
    let pieces = ((to.0 - from.0).hypot(to.1 - from.1) / 90.0).ceil().max(1.0);
    (0..=pieces as usize)
        .map(|step| {
            let share = step as f64 / pieces;
            (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
        })
        .collect()
}
