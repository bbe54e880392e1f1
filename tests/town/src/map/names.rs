//! The town's names. All are made up of common words; together they name no real place.

/// Id, name.
pub type Named = (&'static str, &'static str);

/// The town.
pub const TOWN: Named = ("yunting", "云汀镇");
/// The great river.
pub const RIVER: &str = "云江";
/// Said on the map and beside it.
pub const NOTICE: &str = "虚构示例 Fictional example";

/// A village or community: a block of the lattice of grids.
pub struct Village {
    /// Id and name.
    pub named: Named,
    /// Columns of the lattice, first and one past the last.
    pub columns: (usize, usize),
    /// Rows of the lattice, from the south, first and one past the last.
    pub rows: (usize, usize),
    /// Names of its grids, row by row from the south-west; each becomes `…网格`.
    pub grids: [&'static str; 6],
}

/// All villages and communities: they tile the lattice of 12 by 5.
pub const VILLAGES: [Village; 10] = [
    Village {
        named: ("shangba", "上坝村"),
        columns: (0, 2),
        rows: (2, 5),
        grids: ["坝口", "河嘴", "桑园", "石龙", "李家坪", "大湾"],
    },
    Village {
        named: ("shiqiao", "石桥村"),
        columns: (2, 4),
        rows: (2, 5),
        grids: ["西渡", "西门", "水碾", "石桥", "麻柳", "狮子岩"],
    },
    Village {
        named: ("laojie", "老街社区"),
        columns: (4, 6),
        rows: (2, 5),
        grids: ["大桥北", "老码头", "桂花巷", "青石巷", "北坡", "观音岩"],
    },
    Village {
        named: ("zhongxin", "中心社区"),
        columns: (6, 8),
        rows: (2, 5),
        grids: ["滨江", "朝阳街", "学府路", "和平街", "文笔山", "茶场"],
    },
    Village {
        named: ("dongmen", "东门社区"),
        columns: (8, 10),
        rows: (2, 5),
        grids: ["东门桥北", "堆场", "客运站", "工业园", "砖瓦厂", "松林坡"],
    },
    Village {
        named: ("xiaping", "下坪村"),
        columns: (10, 12),
        rows: (2, 5),
        grids: ["沙湾", "下河坝", "橘园", "新屋", "黄桷树", "云顶"],
    },
    Village {
        named: ("liuxi", "柳溪村"),
        columns: (0, 3),
        rows: (0, 2),
        grids: ["白果树", "柳溪沟", "碾房", "柳林", "柳溪口", "瓦窑"],
    },
    Village {
        named: ("nanan", "南岸社区"),
        columns: (3, 6),
        rows: (0, 2),
        grids: ["南山", "水厂", "果园", "南码头", "南滨路", "大桥南"],
    },
    Village {
        named: ("zhuyuan", "竹园村"),
        columns: (6, 9),
        rows: (0, 2),
        grids: ["竹海", "凉水井", "张家院", "南渡", "竹园坝", "东门桥南"],
    },
    Village {
        named: ("hetang", "荷塘村"),
        columns: (9, 12),
        rows: (0, 2),
        grids: ["荷塘", "鱼种场", "龙洞", "河湾", "新田", "滩上"],
    },
];
