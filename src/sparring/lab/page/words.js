// Every word of the page, in English and Chinese.

const WORDS = {
  "skip": ["Skip to the content", "跳到正文"],
  "nav.learn": ["Learn", "学习"], "nav.game": ["Game", "对弈"], "nav.runs": ["Runs", "训练记录"],
  "lost": ["Connection lost. Trying again …", "连接断开，正在重试……"],
  "read.only": ["You are looking only. To play, open the address that `sparring lab` printed.", "当前只能观看。要操作，请打开 `sparring lab` 打印的完整地址。"],
  "starting": ["Starting the networks …", "正在启动网络……"],
  "play": ["Play", "播放"], "pause": ["Pause", "暂停"], "round": ["One round", "一轮"], "stepD": ["Step D", "D 走一步"], "stepG": ["Step G", "G 走一步"],
  "step": ["Step", "走一步"],
  "slow": ["Slow motion", "慢动作"], "again": ["Start again", "重新开始"], "back": ["Back", "后退"], "speed": ["Speed", "速度"], "full": ["as fast as it goes", "最快"],
  "per.second": ["{n} rounds/s", "每秒 {n} 轮"], "round.of": ["of {n} rounds", "共 {n} 轮"], "inside": ["in the middle of a round", "一轮之中"],
  "back.by": ["Go back by", "后退"], "rounds": ["rounds", "轮"],
  "see.heat": ["what D says", "D 的判断"], "see.best": ["best possible D*", "最优判别器 D*"], "see.arrows": ["pushes on samples", "样本受到的推力"],
  "see.warp": ["warped latent grid", "潜空间网格"],
  "key.real": ["data", "真实数据"], "key.fake": ["generated", "生成样本"],
  "view.plane": ["The plane: data in blue, generated samples in orange. Blue ground is where D says real, orange where it says generated.",
    "平面：蓝点为数据，橙点为生成样本。D 认为真实处为蓝底，认为生成处为橙底。"],
  "view.line": ["Above: the density of data and of samples. Below: D(x).", "上图：数据与样本的密度。下图：D(x)。"],
  "view.curves": ["Curves of the data in blue, generated ones in orange.", "蓝色为数据曲线，橙色为生成曲线。"],
  "view.pictures": ["Generated pictures above, data below; the bar in each is what D says of it.", "上为生成图片，下为真实图片；条形为 D 的判断。"],
  "generator": ["Generator G", "生成器 G"], "discriminator": ["Discriminator D", "判别器 D"], "data": ["data x", "数据 x"],
  "weights": ["{n} weights", "{n} 个参数"],
  "saying.start": ["Nothing has moved yet.", "还没有人走棋。"],
  "saying.fast": ["Both move in turn, faster than one can see. Slow motion shows each step.", "双方轮流快速行走。慢动作可以看清每一步。"],
  "saying.d": ["D has just moved{which}: samples and data came forward, and its error went back into D alone.", "D 刚走完一步{which}：样本和数据向前传播，误差只回传给 D。"],
  "saying.g": ["G has just moved{which}: the error went back through D, which stood still, into G.", "G 刚走完一步{which}：误差穿过静止的 D 回传给 G。"],
  "saying.other": ["Both networks have just moved together, down one loss.", "两个网络刚刚沿同一个损失一起走了一步。"],
  "losses": ["Losses", "损失"], "beliefs": ["What D says, on average", "D 的平均判断"], "loss.d": ["D's loss", "D 的损失"], "loss.g": ["G's loss", "G 的损失"],
  "of.real": ["of data", "对数据"], "of.fake": ["of samples", "对样本"],
  "n.modes": ["modes found", "覆盖的模式"], "n.jsd": ["JS divergence", "JS 散度"], "n.best": ["loss of the best D*", "最优 D* 的损失"], "n.loss": ["loss of D now", "D 当前损失"],
  "n.nats": ["nats, 0 to 0.693", "奈特，0 到 0.693"], "n.log4": ["log 4 − 2 JSD", "log 4 − 2 JSD"],
  "doctor": ["The doctor", "医生"], "doctor.none": ["The doctor looks at the run every {n} rounds.", "医生每 {n} 轮检查一次。"], "verdict.healthy": ["healthy", "健康"],
  "verdict.failing": ["failing", "正在失败"], "verdict.converged": ["converged", "已收敛"], "verdict.unclear": ["too early to say", "尚难判断"],
  "try": ["Try", "试试"], "since": ["since round {n}", "自第 {n} 轮起"],
  "settings": ["Settings", "设置"], "settings.more": ["All other settings", "其余设置"], "recipe": ["recipe", "系统"], "dataset": ["data", "数据"], "seed": ["seed", "随机种子"],
  "apply": ["Go on with these", "用新设置继续"], "apply.anew": ["Start again with these", "用新设置重新开始"], "undo": ["Undo", "撤销"],
  "fork.note": ["Going on makes a new run, which continues this one from the present round.", "继续会产生一个新的训练记录，从当前轮次接着进行。"],
  "code": ["Copy as code", "复制为代码"], "copy": ["Copy", "复制"], "copied": ["Copied", "已复制"], "code.command": ["Command line", "命令行"], "code.python": ["Python", "Python"],
  "gallery": ["Break it", "故意弄坏"], "gallery.lead": ["Runs that fail on purpose. Watch one fail, read what the doctor finds, press a cure.",
    "故意失败的训练。观察失败，阅读诊断，按下疗法。"],
  "learn.title": ["Understand GANs by playing one", "在对弈中理解 GAN"],
  "learn.lead": ["Two networks play against each other. A generator G turns random numbers into samples; a discriminator D tells them from data. Eight short chapters, each with a question, something to do, and what you should see. What plays is the same engine as `sparring train`.",
    "两个网络互相对弈：生成器 G 把随机数变成样本，判别器 D 把样本与数据区分开。八个短章节，每章一个问题、一个操作、一个应当看到的现象。背后的引擎与 `sparring train` 完全相同。"],
  "chapter": ["Chapter {n}", "第 {n} 章"], "question": ["Question", "问题"], "do": ["Do", "动手"], "see": ["See", "现象"], "why": ["Why", "原因"],
  "next": ["Next chapter", "下一章"], "previous": ["Previous", "上一章"], "all": ["All chapters", "全部章节"],
  "runs.title": ["Runs", "训练记录"], "runs.lead": ["Every run folder below {root}. A run that trains in any process is shown live.", "{root} 下的全部训练记录。任何进程中的训练都会实时显示。"],
  "runs.none": ["There are no runs yet. Play a chapter, or train with `sparring train`.", "还没有训练记录。"], "run": ["run", "记录"], "state": ["state", "状态"], "progress": ["rounds", "轮次"],
  "changed": ["changed", "更新"], "open.game": ["Open as a game", "作为对弈打开"], "training": ["training", "训练中"], "finished": ["finished", "完成"], "stopped": ["stopped", "已停止"],
  "wrong": ["unreadable", "无法读取"], "samples": ["Samples through time", "样本随时间的变化"], "after": ["after {n} rounds", "{n} 轮之后"], "scores": ["Scores", "评分"],
  "no.samples": ["No samples were drawn yet.", "还没有样本图片。"], "game.none": ["Choose a chapter, or start a game of your own.", "选择一个章节，或自己开始一局。"], "begin": ["Begin a game", "开始一局"],
  "draw": ["Draw your own data", "自己画数据"], "draw.use": ["Play on this", "用它开始"], "draw.stop": ["Cancel", "取消"], "draw.how": ["Draw on the plane with the mouse or a finger.", "用鼠标或手指在平面上画。"],
  "resume": ["Resume", "继续训练"], "stop": ["Stop", "停止"], "fork": ["Fork, twice as long", "分叉，加倍轮次"],
  "loading": ["Loading …", "加载中……"],
};

let language = localStorage.getItem("sparring-lab-language") || (navigator.language.startsWith("zh") ? "zh" : "en");

export const lang = () => language;

export function setLanguage(chosen) {
  language = chosen;
  localStorage.setItem("sparring-lab-language", chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
}

/** The words of this name, with {n} and the like filled in. */
export function t(name, values = {}) {
  const found = (WORDS[name] || [name, name])[language === "zh" ? 1 : 0];
  return found.replace(/\{(\w+)\}/g, (all, key) => key in values ? String(values[key]) : all);
}

/** The part of a text in two languages that is in this one. */
export const said = (both) => typeof both === "string" ? both : both[language] || both.en;
