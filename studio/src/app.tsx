import { useState } from "react";
import { Admin } from "./admin";
import { call } from "./api";
import { Board } from "./board";
import { Characters } from "./characters";
import { Feed } from "./feeds";
import { Icon } from "./icons";
import { Library } from "./library";
import { left } from "./money";
import { Player } from "./player";
import { Reports, Suspension } from "./reports";
import { SignIn } from "./signin";
import { to, useAccount, usePlace } from "./state";
import { applyTheme, savedTheme, THEMES } from "./theme";

/** The frame around every page: where one can go, who is in, and light or dark. */
export function App() {
  const { account, refresh, setAccount } = useAccount();
  const place = usePlace();
  const [theme, setTheme] = useState(savedTheme);
  const [page = "", name = ""] = place;

  if (account === undefined) return <div className="loading" />;
  if (account === null) return <SignIn entered={refresh} />;

  const turn = () => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
    applyTheme(next);
    setTheme(next);
  };
  const leave = () => call("DELETE", "/session").finally(() => setAccount(null));
  const link = (
    icon: "admin" | "cast" | "clips" | "flag" | "star" | "board" | "folder" | "people" | "seal",
    text: string,
    ...words: string[]
  ) => (
    <a href={to(...words)} key={text} aria-current={words.join("/") === place.join("/") ? "page" : undefined}>
      <Icon name={icon} /> {text}
    </a>
  );
  const known = { account, refresh };
  return (
    <div className="app">
      <button type="button" className="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to content
      </button>
      <header className="side">
        <a className="brand" href={to()}>
          Sorairo <span lang="ja">空色</span>
        </a>
        <nav aria-label="Pages">
          {link("clips", "Clips", "")}
          {link("star", "Favourites", "favourites")}
          {link("board", "Storyboard", "storyboard")}
          {link("cast", "Characters", "characters")}
          {account.feeds && link("seal", "Featured", "featured")}
          {account.feeds && link("people", "Recent", "recent")}
          {link("flag", "Reports", "cases")}
          {account.scopes.includes("admin") && link("admin", "Admin", "admin")}
          {account.folders.map((folder) => link("folder", folder, "folder", folder))}
        </nav>
        <div className="who">
          <p>
            <strong>{account.name}</strong>
            <span className="muted">{account.tier}</span>
            <span className="muted">{left(account.credits_left)}</span>
          </p>
          <button
            type="button"
            className="quiet"
            onClick={turn}
            title={`Colours: ${theme}`}
            aria-label={`Colours: ${theme}`}
          >
            <Icon name="theme" />
          </button>
          <button type="button" className="quiet" onClick={leave} title="Sign out" aria-label="Sign out">
            <Icon name="exit" />
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Suspension account={account} />
        {page === "video" && name ? (
          <Player key={name} id={name} {...known} />
        ) : page === "storyboard" ? (
          <Board {...known} />
        ) : account.feeds && (page === "featured" || page === "recent") ? (
          <Feed key={page} name={page} chosen={name} {...known} />
        ) : page === "characters" ? (
          <Characters chosen={name} />
        ) : page === "cases" ? (
          <Reports />
        ) : page === "admin" ? (
          <Admin />
        ) : (
          <Library
            key={place.join("/")}
            favourite={page === "favourites"}
            folder={page === "folder" ? name : ""}
            starring={page === "with" ? name : ""}
            {...known}
          />
        )}
      </main>
    </div>
  );
}

export interface Known {
  account: import("./api").Account;
  refresh: () => void;
}
