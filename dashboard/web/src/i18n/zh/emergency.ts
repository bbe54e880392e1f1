// Emergency mode.
export const emergency = {
  open: '应急模式…',
  title: '进入应急模式',
  about:
    '所选区域的摄像头优先连接、全部拉流，并多保留一段录像；其余画面在名额用完时按顺序让出：先是无人观看的，再是重点部位，最后才是有人观看的。村民自设摄像头不在其内。操作记入审计。',
  area: '区域',
  areaMissing: '请选择区域',
  reason: '原因',
  reasonMissing: '请填写原因',
  hours: '时长（小时，1 至 72）',
  begin: '进入应急模式',
  begun: (n: number) => `应急模式已启用，新拉流 ${n} 路`,
  bar: (names: string) => `应急模式：${names}`,
  and: '、',
  streams: (n: number, cameras: number) => `区域内 ${cameras} 台摄像头，拉流 ${n} 路`,
  refused: (n: number) => `${n} 路没有名额`,
  shed: (n: number) => `其余让出 ${n} 路`,
  shedNone: '其余画面未受影响',
  left: (time: string) => `还剩 ${time}`,
  end: '结束应急模式',
  endText: '区域内的摄像头恢复平时的拉流方式，让出的画面自动恢复。',
  ended: '应急模式已结束',
};
