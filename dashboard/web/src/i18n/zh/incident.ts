export const incident = {
  title: '事件详情',
};
