//! The sensors: eight classes, four payload formats, both qualities of service.

use model::Owner::{Governance, Police, Telecom, Traffic};
use model::{Kind, Owner};

use super::{Sensor, source};
use crate::map::TownMap;
use crate::map::frame::Uv;

/// Gateways: each is one MQTT connection with a last will.
pub const GATEWAYS: [&str; 8] = ["river", "rain", "yard", "north", "centre", "east", "south", "villages"];

/// The retained topic on which a gateway says `online` and its last will `offline`.
pub fn gateway_topic(gateway: &str) -> String {
    format!("town/gateway/{gateway}/state")
}

/// Id, name, owner, gateway, place.
type Plan = (&'static str, &'static str, Owner, &'static str, Uv);

#[rustfmt::skip]
const PLANS: [Plan; 60] = [
    ("gauge-1", "云汀大桥水位", Governance, "river", (-436.0, 128.0)),
    ("gauge-2", "东门大桥水位", Governance, "river", (846.0, 128.0)),
    ("gauge-3", "柳溪口水位", Governance, "river", (-1836.0, -160.0)),
    ("gauge-4", "上坝水位", Governance, "river", (-2620.0, 140.0)),
    ("gauge-5", "滩上水位", Governance, "river", (2620.0, -140.0)),
    ("rain-1", "云汀大桥雨量", Governance, "rain", (-470.0, 190.0)),
    ("rain-2", "文笔山雨量", Governance, "rain", (230.0, 1330.0)),
    ("rain-3", "上坝雨量", Governance, "rain", (-2700.0, 1180.0)),
    ("rain-4", "南山雨量", Governance, "rain", (-1000.0, -1120.0)),
    ("rain-5", "荷塘雨量", Governance, "rain", (1480.0, -820.0)),
    ("smoke-1", "堆场一号棚烟感", Governance, "yard", (1432.0, 316.0)),
    ("smoke-2", "堆场二号棚烟感", Governance, "yard", (1468.0, 330.0)),
    ("smoke-3", "化工甲库烟感", Governance, "yard", (1420.0, 610.0)),
    ("smoke-4", "化工乙库烟感", Governance, "yard", (1520.0, 640.0)),
    ("smoke-5", "农机厂车间烟感", Governance, "yard", (1430.0, 830.0)),
    ("smoke-6", "农贸市场东区烟感", Governance, "centre", (-520.0, 400.0)),
    ("smoke-7", "农贸市场西区烟感", Governance, "centre", (-640.0, 400.0)),
    ("smoke-8", "老街12号烟感", Police, "centre", (-300.0, 420.0)),
    ("smoke-9", "老街47号烟感", Police, "centre", (-240.0, 560.0)),
    ("smoke-10", "卫生院库房烟感", Governance, "north", (-300.0, 790.0)),
    ("smoke-11", "中心小学食堂烟感", Governance, "north", (140.0, 590.0)),
    ("smoke-12", "云汀中学宿舍烟感", Governance, "north", (400.0, 790.0)),
    ("temp-1", "堆场一号棚温度", Governance, "yard", (1436.0, 320.0)),
    ("temp-2", "堆场二号棚温度", Governance, "yard", (1472.0, 334.0)),
    ("temp-3", "化工甲库温度", Governance, "yard", (1424.0, 612.0)),
    ("temp-4", "化工乙库温度", Governance, "yard", (1524.0, 642.0)),
    ("temp-5", "农贸市场冷库温度", Governance, "centre", (-480.0, 440.0)),
    ("temp-6", "水厂机房温度", Governance, "south", (-880.0, -560.0)),
    ("temp-7", "通信机房温度", Telecom, "north", (470.0, 900.0)),
    ("temp-8", "桥东配电房温度", Traffic, "east", (870.0, 260.0)),
    ("door-1", "南岸泵站机房门", Governance, "south", (-76.0, -246.0)),
    ("door-2", "水厂加药间门", Governance, "south", (-860.0, -570.0)),
    ("door-3", "化工仓储园危化库门", Governance, "yard", (1540.0, 636.0)),
    ("door-4", "镇政府档案室门", Governance, "centre", (20.0, 450.0)),
    ("door-5", "通信机房门", Telecom, "north", (474.0, 902.0)),
    ("door-6", "桥东配电房门", Traffic, "east", (872.0, 262.0)),
    ("door-7", "卫生院药库门", Governance, "north", (-280.0, 800.0)),
    ("door-8", "上坝泵站门", Governance, "villages", (-2600.0, 200.0)),
    ("bin-1", "滨江公园垃圾桶", Governance, "centre", (-310.0, 262.0)),
    ("bin-2", "人民广场垃圾桶", Governance, "centre", (-110.0, 410.0)),
    ("bin-3", "农贸市场垃圾站", Governance, "centre", (-560.0, 350.0)),
    ("bin-4", "人民公园垃圾桶", Governance, "centre", (-850.0, 590.0)),
    ("bin-5", "客运站垃圾桶", Governance, "east", (940.0, 560.0)),
    ("bin-6", "学府路垃圾桶", Governance, "north", (338.0, 700.0)),
    ("bin-7", "南岸公园垃圾桶", Governance, "south", (-540.0, -420.0)),
    ("bin-8", "竹园村垃圾站", Governance, "villages", (640.0, -470.0)),
    ("bin-9", "荷塘村垃圾站", Governance, "villages", (1500.0, -950.0)),
    ("bin-10", "下坪村垃圾站", Governance, "villages", (2060.0, 380.0)),
    ("power-1", "水厂市电", Governance, "south", (-870.0, -580.0)),
    ("power-2", "南岸泵站市电", Governance, "south", (-70.0, -240.0)),
    ("power-3", "云汀大桥照明市电", Traffic, "south", (-414.0, -200.0)),
    ("power-4", "东门大桥照明市电", Traffic, "east", (836.0, 200.0)),
    ("power-5", "通信机房市电", Telecom, "north", (468.0, 898.0)),
    ("power-6", "卫生院市电", Governance, "north", (-320.0, 740.0)),
    ("power-7", "化工仓储园市电", Governance, "yard", (1600.0, 700.0)),
    ("power-8", "上坝泵站市电", Governance, "villages", (-2596.0, 204.0)),
    ("air-1", "人民广场空气站", Governance, "centre", (-120.0, 430.0)),
    ("air-2", "工业园空气站", Governance, "yard", (1300.0, 480.0)),
    ("air-3", "南岸空气站", Governance, "south", (-700.0, -330.0)),
    ("air-4", "中心小学空气站", Governance, "north", (120.0, 560.0)),
];

/// Limits of the gauges, metres; the same four lines are painted on the bank in the cameras' pictures.
const LIMITS: [(&str, &str); 4] = [("blue", "3.0"), ("yellow", "3.5"), ("orange", "4.0"), ("red", "4.5")];

/// How the sensors of a class report.
struct Habit {
    class: &'static str,
    format: &'static str,
    unit: &'static str,
    interval_s: Option<u32>,
    acknowledged: bool,
    retained: bool,
}

/// The habits of the sensor with this id prefix and number.
fn habit(kind: &str, number: usize) -> Habit {
    let habit = |class, format, unit, interval_s, acknowledged, retained| Habit {
        class,
        format,
        unit,
        interval_s,
        acknowledged,
        retained,
    };
    match kind {
        "gauge" => habit("river_gauge", "raw", "m", Some(5), true, false),
        "rain" => habit("rain_gauge", "json", "mm/h", Some(15), false, false),
        "smoke" if number % 2 == 1 => habit("smoke", "raw:smoke", "", Some(60), true, false),
        "smoke" => habit("smoke", "json", "", Some(60), true, false),
        // Those in the yards watch closely.
        "temp" if number <= 4 => habit("temperature", "senml", "Cel", Some(5), false, false),
        "temp" => habit("temperature", "senml", "Cel", Some(30), false, false),
        "door" => habit("door", "raw", "", None, true, true),
        "bin" => habit("bin", "map:fill=/data/level battery=/data/battery time=/at", "%", Some(60), false, false),
        "power" => habit("power", "raw", "", None, true, true),
        _ => habit("air", "json", "ug/m3", Some(30), false, false),
    }
}

/// All sensors.
pub fn sensors(map: &TownMap) -> Vec<Sensor> {
    let sensor = |&(id, name, owner, gateway, at): &Plan| {
        let (kind, number) = id.split_once('-').expect("every id above has a number");
        let habit = habit(kind, number.parse().expect("every id above has a number"));
        let mut source = source(map, Kind::Sensor, id, habit.class, name, owner, at);
        source.topic = format!("town/{}/{id}", habit.class);
        source.format = habit.format.into();
        source.unit = habit.unit.into();
        source.interval_s = habit.interval_s;
        source.tags.insert("gateway".into(), gateway.into());
        source.tags.insert("offline_topic".into(), gateway_topic(gateway));
        if habit.class == "river_gauge" {
            source.tags.extend(LIMITS.map(|(level, metres)| (format!("limits.{level}"), metres.into())));
        }
        Sensor { source, acknowledged: habit.acknowledged, retained: habit.retained, gateway }
    };
    PLANS.iter().map(sensor).collect()
}
