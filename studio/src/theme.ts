/** Light, dark, or as the system is. Remembered in this browser only. */

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export const savedTheme = (): Theme => THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "system";

export function applyTheme(theme: Theme) {
  localStorage.setItem("theme", theme);
  document.documentElement.dataset.theme = theme;
}
