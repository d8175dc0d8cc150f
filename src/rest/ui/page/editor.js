// Creating and changing a configuration, validated by the worker while it is typed.

const VALIDATE_AFTER_MS = 350;

/** The part of a class's name that tools use. */
const simple = (name) => name.split(".").pop();

class Editor {
  constructor(config, { name, isNew, plugins }) {
    Object.assign(this, { config, name, isNew, plugins, asText: false, onlySet: true, infos: null, failure: "", timer: 0, turn: 0 });
    this.node = el("div", {});
  }

  /** Asks the worker after a pause in typing; answers that are overtaken are dropped. */
  validateSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.validate(), VALIDATE_AFTER_MS);
  }

  async validate() {
    const turn = ++this.turn;
    const plugin = this.config["connector.class"]?.trim();
    let [infos, failure] = [null, ""];
    if (!plugin) failure = "Choose a connector class.";
    else {
      try {
        infos = await call("PUT", `/connector-plugins/${encodeURIComponent(simple(plugin))}/config/validate`, this.config);
      } catch (error) {
        failure = error.message;
      }
    }
    if (turn !== this.turn) return;
    Object.assign(this, { infos, failure });
    this.draw();
  }

  set(key, value) {
    if (value === "" && !this.isRequired(key)) delete this.config[key];
    else this.config[key] = value;
    this.validateSoon();
  }

  isRequired(key) {
    return this.infos?.configs.some((config) => config.definition?.name === key && config.definition.required) ?? false;
  }

  async save() {
    const name = this.name || this.config.name?.trim();
    if (!name) return note("The connector needs a name.", true);
    const work = this.isNew
      ? () => call("POST", "/connectors", { name, config: { ...this.config, name }, initial_state: byId("initial-state").value })
      : () => call("PUT", pathOf(name, "config"), this.config);
    if (await attempt(this.isNew ? `Created ${name}` : `Changed ${name}`, work)) location.hash = `#/connectors/${encodeURIComponent(name)}`;
  }

  draw() {
    const count = this.infos?.error_count ?? 0;
    const verdict = this.failure ? el("p", { class: "note bad" }, this.failure)
      : this.infos ? el("p", { class: count ? "note bad" : "note", id: "verdict" }, count ? `${count} ${count === 1 ? "problem" : "problems"}` : "Valid") : null;
    replace(this.node, this.controls(), el("div", { role: "status", "aria-live": "polite" }, verdict),
      this.asText ? this.text() : this.form(), this.buttons());
  }

  controls() {
    const toggle = (id, label, checked, onchange) => el("label", { for: id }, el("input", { type: "checkbox", id, checked, onchange }), ` ${label}`);
    return el("div", { class: "row" },
      toggle("as-text", "As text", this.asText, (event) => { this.asText = event.target.checked; this.draw(); }),
      this.asText ? null : toggle("only-set", "Only keys that are set, required or wrong", this.onlySet, (event) => { this.onlySet = event.target.checked; this.draw(); }));
  }

  text() {
    const change = (event) => {
      try {
        this.config = parseConfig(event.target.value);
        this.failure = "";
        this.validateSoon();
      } catch (error) {
        this.failure = error.message;
      }
    };
    return el("label", { for: "config-text" }, "Properties, or JSON",
      el("textarea", { id: "config-text", spellcheck: "false", oninput: change }, toProperties(this.config)));
  }

  form() {
    const classes = this.plugins.map((plugin) => el("option", { value: plugin.class }));
    const first = el("fieldset", {}, el("legend", {}, "Connector"), el("div", { class: "fields" },
      this.field({ definition: { name: "name", type: "STRING", width: "MEDIUM", documentation: "", required: true }, value: { errors: [], recommended_values: [] } }, !this.isNew),
      this.field({ definition: { name: "connector.class", type: "STRING", width: "LONG", documentation: "", required: true }, value: { errors: this.errorsOf("connector.class"), recommended_values: [] } }, false, "classes")),
      el("datalist", { id: "classes" }, classes));
    return [first, this.groups(), this.others()];
  }

  errorsOf(key) {
    return this.infos?.configs.find((config) => config.value.name === key)?.value.errors ?? [];
  }

  groups() {
    const shown = (config) => config.definition && !["name", "connector.class"].includes(config.definition.name) && config.value.visible !== false
      && (!this.onlySet || config.definition.name in this.config || config.definition.required || config.value.errors.length);
    const byGroup = new Map();
    for (const config of (this.infos?.configs ?? []).filter(shown)) {
      const group = config.definition.group ?? "Other";
      byGroup.set(group, [...(byGroup.get(group) ?? []), config]);
    }
    const order = [...(this.infos?.groups ?? []), "Other"];
    return [...byGroup].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)).map(([group, configs]) =>
      el("fieldset", {}, el("legend", {}, group), el("div", { class: "fields" },
        configs.sort((a, b) => a.definition.order_in_group - b.definition.order_in_group).map((config) => this.field(config)))));
  }

  /** Keys that the connector does not define, so that they can be seen and taken away. */
  others() {
    const defined = new Set((this.infos?.configs ?? []).map((config) => config.definition?.name));
    const others = Object.keys(this.config).filter((key) => !defined.has(key) && !["name", "connector.class"].includes(key));
    const add = () => {
      const key = byId("new-key").value.trim();
      if (!key) return;
      this.config[key] ??= "";
      this.draw();
      byId(`field-${key}`)?.focus();
    };
    return el("fieldset", {}, el("legend", {}, "Further keys"), el("div", { class: "fields" },
      others.map((key) => this.field({ definition: { name: key, type: "STRING", width: "MEDIUM", documentation: "" }, value: { errors: this.errorsOf(key), recommended_values: [] } }))),
    el("div", { class: "row" },
      el("input", { type: "text", id: "new-key", class: "grow", "aria-label": "Name of a key to add", placeholder: "key to add",
        onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); add(); } } }),
      el("button", { type: "button", id: "add-key", onclick: add }, "Add key")));
  }

  field({ definition, value }, fixed = false, list = null) {
    const key = definition.name;
    const id = `field-${key}`;
    const title = definition.display_name && definition.display_name !== key ? definition.display_name : key;
    const problems = value.errors ?? [];
    const described = problems.length ? `${id}-problems` : null;
    const common = { id, "aria-invalid": problems.length ? "true" : null, "aria-describedby": described, disabled: fixed };
    return el("div", { class: `field ${definition.width ?? ""}` },
      el("label", { for: id }, title, definition.required ? " *" : ""),
      title === key ? null : el("code", {}, key),
      this.input(definition, value, common, list),
      problems.length ? el("div", { id: described }, problems.map((problem) => el("p", { class: "problem" }, problem))) : null,
      definition.documentation ? el("small", {}, definition.documentation) : null);
  }

  input(definition, value, common, list) {
    const key = definition.name;
    const now = this.config[key] ?? "";
    const choices = definition.type === "BOOLEAN" ? ["true", "false"] : value.recommended_values ?? [];
    const usual = definition.default_value === null || definition.default_value === undefined ? "" : definition.default_value;
    const onchange = (event) => this.set(key, event.target.value);
    if (choices.length && definition.type !== "LIST" && (now === "" || choices.includes(now))) {
      const empty = el("option", { value: "", selected: now === "" }, usual ? `default: ${usual}` : "not set");
      return el("select", { ...common, onchange }, empty, choices.map((choice) => el("option", { value: choice, selected: choice === now }, choice)));
    }
    const type = definition.type === "PASSWORD" ? "password" : "text";
    return el("input", { ...common, type, list, spellcheck: "false", autocomplete: "off", placeholder: usual, value: now, oninput: onchange });
  }

  buttons() {
    const wrong = this.failure || (this.infos?.error_count ?? 1) > 0;
    return el("div", { class: "row" },
      this.isNew ? el("label", { for: "initial-state" }, "Start as ", el("select", { id: "initial-state" },
        ["RUNNING", "PAUSED", "STOPPED"].map((state) => el("option", { value: state }, state)))) : null,
      el("button", { type: "button", id: "save", class: "primary", disabled: wrong, onclick: () => this.save() }, this.isNew ? "Create" : "Save"));
  }
}

async function connectorClasses() {
  const plugins = await get("/connector-plugins");
  return plugins.filter((plugin) => plugin.type === "source" || plugin.type === "sink");
}

async function showNew(main) {
  const editor = new Editor({}, { name: "", isNew: true, plugins: await connectorClasses() });
  main.replaceChildren(el("h1", {}, "New connector"), editor.node);
  await editor.validate();
  return null;
}

async function showConfig(main, name) {
  const [config, plugins] = await Promise.all([get(pathOf(name, "config")), connectorClasses()]);
  const editor = new Editor(config, { name, isNew: false, plugins });
  main.replaceChildren(el("h1", {}, name), tabs(name, "config"), editor.node);
  await editor.validate();
  return null;
}
