/** The texts of the notices. */
import type { PositionReply } from "../../../sessions/waiting-room/contract.ts";

const ENGLISH = {
  code: "en",
  room: "Waiting room",
  place: (n: string) => `You are number ${n} in line`,
  about: (time: string) => `about ${time}`,
  turn: "It is your turn",
  turnDetail: "Your place is ready.",
  expired: "Your place has expired",
  closed: "Your place was given up",
  again: "Line up again",
  full: "The line is full",
  fullDetail: "Please try again in a while.",
  broken: "The waiting room cannot be reached",
  refused: "You cannot be let in line",
  retry: "Try again",
  offline: "No connection, trying again",
  dismiss: "Dismiss",
};

const KOREAN: typeof ENGLISH = {
  code: "ko",
  room: "대기실",
  place: (n) => `대기 순번 ${n}번입니다`,
  about: (time) => `약 ${time} 남음`,
  turn: "입장하실 차례입니다",
  turnDetail: "자리가 준비되었습니다.",
  expired: "대기 시간이 만료되었습니다",
  closed: "자리가 반납되었습니다",
  again: "다시 줄 서기",
  full: "대기열이 가득 찼습니다",
  fullDetail: "잠시 후 다시 시도해 주세요.",
  broken: "대기실에 연결할 수 없습니다",
  refused: "대기열에 들어갈 수 없습니다",
  retry: "다시 시도",
  offline: "연결이 끊겨 다시 시도하고 있습니다",
  dismiss: "닫기",
};

export type Texts = typeof ENGLISH;

export function chooseTexts(lang: string | undefined): Texts {
  const wanted = lang || document.documentElement.lang || navigator.language;
  return /^ko\b/i.test(wanted) ? KOREAN : ENGLISH;
}

/** Title and detail of a place in line; without an estimate there is no detail. */
export function describePlace(texts: Texts, { position, ...place }: PositionReply): [title: string, detail: string] {
  const number = (value: number, options?: Intl.NumberFormatOptions) =>
    new Intl.NumberFormat(texts.code, options).format(value);
  const minutes = "estimated_wait_minutes" in place ? place.estimated_wait_minutes : null;
  const time = minutes && number(minutes, { style: "unit", unit: "minute", unitDisplay: "long" });
  return [texts.place(number(position)), time ? texts.about(time) : ""];
}
