/** The texts of the page, in the languages of the waiting room's widget. */
import type { EndingReason } from "../../contract.ts";

const ENGLISH = {
  code: "en",
  title: "Your access key",
  intro: "See which device uses your access key, and sign it out.",
  key: "Access key",
  look: "Show",
  now: "In use now",
  nobody: "No device uses this key.",
  unnamed: "A device without a name",
  since: (time: string) => `Since ${time}`,
  leased: (time: string) => `Held for work offline until ${time}. Until then no other device can start.`,
  signOut: "Sign this device out",
  sure: (device: string) => `Sign out: ${device}?`,
  sureText: "The app on it stops. It can be started again with the key.",
  cancel: "Cancel",
  yes: "Sign out",
  signedOut: "The device is signed out.",
  wasGone: "No device was using the key any more.",
  changed: "Another device has started in the meantime. Please look again.",
  past: "How it ended before",
  noEndings: "Nothing yet.",
  reasons: {
    replaced: "Another device took over",
    expired: "The device fell silent",
    ended: "The app was closed, or signed out here",
    revoked: "Ended by the provider",
    cloned: "In use on two devices at once",
  } satisfies Record<EndingReason, string>,
  troubles: {
    invalid_key: "There is no such access key. Please check what you entered.",
    key_expired: "This access key has expired.",
    key_revoked: "This access key has been revoked.",
    rate_limited: "Too often in a short time. Please try again in a minute.",
    unavailable: "The service cannot be reached. Please try again.",
  },
};

export type Texts = typeof ENGLISH;
export type Trouble = keyof Texts["troubles"];

const KOREAN: Texts = {
  code: "ko",
  title: "내 액세스 키",
  intro: "액세스 키를 사용 중인 기기를 확인하고 로그아웃할 수 있습니다.",
  key: "액세스 키",
  look: "확인",
  now: "현재 사용 중",
  nobody: "이 키를 사용 중인 기기가 없습니다.",
  unnamed: "이름 없는 기기",
  since: (time) => `${time}부터`,
  leased: (time) => `${time}까지 오프라인 사용 중입니다. 그때까지 다른 기기에서 시작할 수 없습니다.`,
  signOut: "이 기기 로그아웃",
  sure: (device) => `로그아웃할까요? ${device}`,
  sureText: "기기의 앱이 중지됩니다. 키로 다시 시작할 수 있습니다.",
  cancel: "취소",
  yes: "로그아웃",
  signedOut: "기기에서 로그아웃했습니다.",
  wasGone: "키를 사용 중인 기기가 이미 없습니다.",
  changed: "그사이 다른 기기가 시작했습니다. 다시 확인해 주세요.",
  past: "이전 종료 기록",
  noEndings: "아직 없습니다.",
  reasons: {
    replaced: "다른 기기에서 시작함",
    expired: "기기의 응답이 끊김",
    ended: "앱을 닫았거나 여기서 로그아웃함",
    revoked: "제공자가 종료함",
    cloned: "두 기기에서 동시에 사용됨",
  },
  troubles: {
    invalid_key: "없는 액세스 키입니다. 입력한 내용을 확인해 주세요.",
    key_expired: "만료된 액세스 키입니다.",
    key_revoked: "취소된 액세스 키입니다.",
    rate_limited: "짧은 시간에 너무 많이 시도했습니다. 잠시 후 다시 시도해 주세요.",
    unavailable: "서비스에 연결할 수 없습니다. 다시 시도해 주세요.",
  },
};

/** By the page's `?lang=`, else by the browser's language. */
export function chooseTexts(): Texts {
  const wanted = new URLSearchParams(location.search).get("lang") || navigator.language;
  return /^ko\b/i.test(wanted) ? KOREAN : ENGLISH;
}

/** For dates: the visitor's own way to write that language. On a system without one Chromium says "en-US@posix", no language tag. */
export function localeOf({ code }: Texts): string {
  const [own = code] = navigator.language.split("@");
  return own.startsWith(code) ? own : code;
}
