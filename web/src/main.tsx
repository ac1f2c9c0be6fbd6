import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/pages.css";
import { render } from "preact";
import { App } from "./app";
import { applyTheme } from "./state/preferences";
import { watchPlace } from "./state/route";
import { resume } from "./state/session";

applyTheme();
watchPlace();
void resume();

const root = document.getElementById("app");
if (root) render(<App />, root);
