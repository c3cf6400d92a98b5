// Handing something over to the rest of the machine: the clipboard, a file, what the system shares with.

/** Into the clipboard; false: this browser does not let a page do that. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // not on https, or not allowed: the way of old
  }
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "hidden";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}

/** As a file of that name. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  const address = URL.createObjectURL(content);
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export const canShare = (): boolean => typeof navigator.share === "function";

/** What the system offers: messages, mail, another app. False: somebody thought better of it, or it failed. */
export async function share(title: string, url: string): Promise<boolean> {
  try {
    await navigator.share({ title, text: title, url });
    return true;
  } catch {
    return false;
  }
}
