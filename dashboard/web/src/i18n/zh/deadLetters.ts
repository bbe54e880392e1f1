export const deadLetters = {
  title: '无法解析的消息',
};
