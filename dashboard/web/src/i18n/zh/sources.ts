export const sources = {
  title: '设备',
};
