export const report = {
  title: '上报事件',
};
