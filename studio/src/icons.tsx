/** Line drawings on a grid of 24, one stroke; they never carry a meaning that no text beside them has. */

const PATHS = {
  admin: "M12 3l8 3v6c0 4.5-3.2 8-8 9-4.8-1-8-4.5-8-9V6z",
  blend: "M9 5a7 7 0 1 0 0 14A7 7 0 0 0 9 5zM15 5a7 7 0 1 1 0 14 7 7 0 0 1 0-14z",
  board: "M3 6h7v5H3zM14 6h7v5h-7zM3 16h18M7 14v4M16 14v4",
  cast: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM5 20c0-4 3-6 7-6s7 2 7 6",
  clips: "M4 5h16v14H4zM4 9h16M9 9v10",
  close: "M6 6l12 12M18 6L6 18",
  connect: "M3 7h6v10H3zM15 7h6v10h-6zM9 12h6M12.5 9.5L15 12l-2.5 2.5",
  cut: "M6 4v16M18 4v16M6 8h12M6 16h12",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  extend: "M4 12h15M14 7l5 5-5 5M4 6v12",
  flag: "M6 21V4h11l-2 4 2 4H6",
  folder: "M3 7h6l2 2h10v10H3z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9.5h.01",
  inpaint: "M4 20c3 0 5-1 5-4l8-12 3 3-12 8",
  key: "M14 10a4 4 0 1 0-3.9 4L12 16h2v2h2v2h4v-3l-6.2-6.2",
  loop: "M17 4l3 3-3 3M20 7H8a4 4 0 0 0-4 4M7 20l-3-3 3-3M4 17h12a4 4 0 0 0 4-4",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  outpaint: "M9 9h6v6H9zM4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4",
  people: "M9 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM3 19c0-4 3-6 6-6s6 2 6 6M16 5.5a3 3 0 0 1 0 5M17 13c2.5.5 4 2.5 4 6",
  plus: "M12 5v14M5 12h14",
  remix: "M4 7h4l8 10h4M4 17h4l2.5-3M13.5 10L16 7h4M17 4l3 3-3 3M17 14l3 3-3 3",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5",
  seal: "M12 3l2.4 1.8 3 .1 1 2.8 2.3 1.9-.9 2.9.9 2.9-2.3 1.9-1 2.8-3 .1L12 22l-2.4-1.8-3-.1-1-2.8-2.3-1.9.9-2.9-.9-2.9 2.3-1.9 1-2.8 3-.1zM8.5 12.5l2.5 2.5 4.5-5",
  star: "M12 4l2.5 5.2 5.7.8-4.1 4 1 5.7L12 17l-5.1 2.7 1-5.7-4.1-4 5.7-.8z",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
  exit: "M14 4h5v16h-5M3 12h11M10 8l4 4-4 4",
};

export function Icon({ name, filled = false }: { name: keyof typeof PATHS; filled?: boolean }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" data-filled={filled || undefined}>
      <path d={PATHS[name]} />
    </svg>
  );
}
