export const incidents = {
  title: '事件',
};
