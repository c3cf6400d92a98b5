// Where earthquake-service is, as the server says in the page (`SERVICE_URL`).

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Its address without a `/` at its end; empty: there is none, or it is another machine's own name for itself. */
export function serviceUrl(said: string, pageHost: string): string {
  if (!URL.canParse(said)) return "";
  const { hostname } = new URL(said);
  return LOOPBACK.test(hostname) && !LOOPBACK.test(pageHost) ? "" : said.replace(/\/+$/, "");
}

export const addressOf = (): string =>
  serviceUrl(document.querySelector<HTMLMetaElement>('meta[name="service-url"]')?.content ?? "", location.hostname);
