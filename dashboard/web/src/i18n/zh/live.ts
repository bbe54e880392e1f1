export const live = {
  title: '实时视频',
};
