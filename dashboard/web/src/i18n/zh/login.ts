export const login = {
  title: '登录',
  lead: '乡镇综合治理指挥中枢',
  username: '用户名',
  password: '密码',
  submit: '登录',
  submitting: '正在登录…',
  wrong: '用户名或密码不正确',
  locked: (s: number) => `密码错误次数过多，该账号已锁定。请在 ${s} 秒后再试，或联系管理员。`,
  unlocked: '锁定已解除，可以再次登录。',
  audit: '登录、查看视频和每一步处置都会留下审计记录。',
  expired: '登录已失效，请重新登录。',
};
