import { applyTheme } from "../state/preferences";

applyTheme();
