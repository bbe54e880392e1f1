//! The cameras: five owners, sites of every kind, some pulled only on demand.

use std::net::SocketAddr;

use model::Owner::{Governance, Police, Resident, Telecom, Traffic};
use model::PullMode::{Always, Demand};
use model::{Kind, Owner, PullMode};

use super::{Camera, source, stream_url};
use crate::map::TownMap;
use crate::map::frame::Uv;
use crate::rtsp::Auth;
use crate::scene::Scene;

struct Plan {
    id: &'static str,
    class: &'static str,
    name: &'static str,
    owner: Owner,
    mode: PullMode,
    at: Uv,
    /// What it is turned to.
    towards: Uv,
    scene: Scene,
    auth: Auth,
    /// Sensors it sees.
    looks_at: &'static str,
}

const RIVER: Scene = Scene::River { level_cm: 270 };
const YARD: Scene = Scene::Yard { smoke: false };

#[rustfmt::skip]
const PLANS: [Plan; 24] = [
    plan("cam-river-1", "waterway", "云汀大桥水位站", Governance, Always, (-462.0, 180.0), (-436.0, 128.0), RIVER, "gauge-1 rain-1"),
    plan("cam-river-2", "waterway", "东门大桥水位站", Governance, Always, (872.0, 184.0), (846.0, 128.0), RIVER, "gauge-2"),
    plan("cam-river-3", "waterway", "柳溪口水位站", Governance, Always, (-1806.0, -196.0), (-1836.0, -160.0), RIVER, "gauge-3"),
    plan("cam-street-1", "street", "解放路学府路口", Police, Always, (322.0, 342.0), (420.0, 335.0), Scene::Street, ""),
    plan("cam-street-2", "street", "人民路大桥路口", Police, Always, (-428.0, 508.0), (-520.0, 500.0), Scene::Street, ""),
    plan("cam-street-3", "road", "东门路解放路口", Traffic, Always, (822.0, 328.0), (830.0, 420.0), Scene::Street, ""),
    plan("cam-street-4", "road", "云汀大桥南引桥", Traffic, Always, (-411.0, -236.0), (-420.0, -330.0), Scene::Street, ""),
    plan("cam-street-5", "road", "客运站前", Traffic, Demand, (936.0, 494.0), (850.0, 500.0), Scene::Street, ""),
    plan("cam-street-6", "street", "建设路和平街口", Telecom, Always, (598.0, 858.0), (500.0, 850.0), Scene::Street, ""),
    plan("cam-street-7", "street", "西门路人民路口", Police, Demand, (-1222.0, 492.0), (-1130.0, 500.0), Scene::Street, ""),
    plan("cam-school-1", "school_gate", "中心小学校门", Governance, Always, (205.0, 492.0), (205.0, 520.0), Scene::SchoolGate, ""),
    plan("cam-school-2", "school_gate", "云汀中学校门", Police, Always, (460.0, 664.0), (460.0, 690.0), Scene::SchoolGate, ""),
    plan("cam-school-3", "school_gate", "南岸小学校门", Governance, Demand, (-800.0, -336.0), (-800.0, -360.0), Scene::SchoolGate, ""),
    plan("cam-park-1", "park", "滨江公园", Governance, Always, (-300.0, 326.0), (-300.0, 250.0), Scene::Park, "bin-1"),
    plan("cam-park-2", "park", "人民公园", Telecom, Always, (-860.0, 508.0), (-860.0, 600.0), Scene::Park, "bin-4"),
    plan("cam-park-3", "park", "南岸公园", Telecom, Demand, (-545.0, -352.0), (-545.0, -430.0), Scene::Park, "bin-7"),
    plan("cam-yard-1", "yard", "东门物流堆场一号院", Governance, Always, (1318.0, 214.0), (1440.0, 320.0), YARD, "smoke-1 smoke-2 temp-1 temp-2"),
    plan("cam-yard-2", "yard", "化工仓储园大门", Police, Always, (1316.0, 512.0), (1430.0, 600.0), YARD, "smoke-3 smoke-4 temp-3"),
    plan("cam-pump-1", "yard", "南岸泵站院内", Governance, Always, (-110.0, -206.0), (-76.0, -246.0), YARD, "door-1"),
    plan("cam-lane-1", "village", "上坝村口", Governance, Always, (-2560.0, 372.0), (-2620.0, 345.0), Scene::Lane, ""),
    plan("cam-lane-2", "village", "柳溪村口", Telecom, Demand, (-1980.0, -420.0), (-2050.0, -440.0), Scene::Lane, ""),
    plan("cam-home-1", "village", "张家院坝（村民自设）", Resident, Demand, (610.0, -985.0), (580.0, -1010.0), Scene::Lane, ""),
    plan("cam-home-2", "village", "荷塘小卖部门口（村民自设）", Resident, Demand, (1496.0, -985.0), (1520.0, -1010.0), Scene::Lane, ""),
    plan("cam-home-3", "village", "下坪王家门口（村民自设）", Resident, Demand, (2080.0, 360.0), (2050.0, 345.0), Scene::Lane, ""),
];

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn plan(
    id: &'static str,
    class: &'static str,
    name: &'static str,
    owner: Owner,
    mode: PullMode,
    at: Uv,
    towards: Uv,
    scene: Scene,
    looks_at: &'static str,
) -> Plan {
    // Each owner bought other cameras.
    let auth = match owner {
        Telecom => Auth::Basic,
        Resident => Auth::None,
        Governance | Police | Traffic => Auth::Digest,
    };
    Plan { id, class, name, owner, mode, at, towards, scene, auth, looks_at }
}

/// All cameras, for a farm at `rtsp`.
pub fn cameras(map: &TownMap, rtsp: SocketAddr) -> Vec<Camera> {
    let camera = |plan: &Plan| {
        let mut source = source(map, Kind::Camera, plan.id, plan.class, plan.name, plan.owner, plan.at);
        source.mode = plan.mode;
        source.url = stream_url(rtsp, plan.id, "main");
        source.tags.insert("sub".into(), stream_url(rtsp, plan.id, "sub"));
        source.tags.insert("bearing".into(), map.frame.bearing(plan.at, plan.towards).to_string());
        if !plan.looks_at.is_empty() {
            source.tags.insert("looks_at".into(), plan.looks_at.into());
        }
        Camera { source, scene: plan.scene, auth: plan.auth }
    };
    PLANS.iter().map(camera).collect()
}
