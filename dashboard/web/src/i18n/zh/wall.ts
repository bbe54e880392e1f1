export const wall = {
  title: '视频墙',
};
