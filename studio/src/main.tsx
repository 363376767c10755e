import { createRoot } from "react-dom/client";
import { App } from "./app";
import { applyTheme, savedTheme } from "./theme";
import "./style.css";
import "./frame.css";
import "./wall.css";
import "./clip.css";
import "./phone.css";

applyTheme(savedTheme());
const place = document.getElementById("app");
if (place) createRoot(place).render(<App />);
