// Messages that could not be decoded.
export const deadLetters = {
  title: '异常消息',
  intro: '无法解析的传感器消息。改正设备或格式后，新消息会正常入库；这里的旧消息不会补录。',
  total: (n: string) => `保留 ${n} 条`,
  empty: '没有异常消息',
  emptyHint: '所有消息都已正常解析。',
  columns: { at: '时间', source: '设备', topic: '主题', reason: '原因', bytes: '大小', broker: '消息服务', payload: '内容' },
  noSource: '未知设备',
  refresh: '刷新',
  detail: '消息内容',
  bytes: (n: string) => `${n} 字节`,
  head: (shown: string, all: string) => `显示前 ${shown} 字节，共 ${all} 字节`,
  openSource: '设备详情',
  more: '正在加载更早的消息…',
  end: '没有更早的消息',
};
