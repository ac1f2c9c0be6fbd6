import type { ComponentChildren, InputHTMLAttributes } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  about?: ComponentChildren;
  children: (id: string, aboutId: string | undefined) => ComponentChildren;
}

/** A field of a form with its name, and what one must know. */
export function Field({ label, about, children }: FieldProps) {
  const id = useId();
  const aboutId = about ? `${id}-about` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, aboutId)}
      {about && (
        <small id={aboutId} class="faint">
          {about}
        </small>
      )}
    </div>
  );
}

interface TextProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  about?: ComponentChildren;
  type?: "text" | "number" | "password";
  isRequired?: boolean;
  placeholder?: string;
  list?: string;
  autoComplete?: string;
}

export function Text(props: TextProps) {
  // The types of Preact allow a list only where its role is said, too.
  const kind = { type: props.type ?? "text", list: props.list } as InputHTMLAttributes<HTMLInputElement>;
  return (
    <Field label={props.label} about={props.about}>
      {(id, aboutId) => (
        <input
          id={id}
          {...kind}
          value={props.value}
          required={props.isRequired}
          placeholder={props.placeholder}
          aria-describedby={aboutId}
          autoComplete={props.autoComplete ?? "off"}
          spellcheck={false}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function Area(props: Omit<TextProps, "type" | "list"> & { rows?: number }) {
  return (
    <Field label={props.label} about={props.about}>
      {(id, aboutId) => (
        <textarea
          id={id}
          rows={props.rows ?? 5}
          value={props.value}
          placeholder={props.placeholder}
          aria-describedby={aboutId}
          spellcheck={false}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  choices: (string | [string, string])[];
  onChange: (value: string) => void;
  about?: ComponentChildren;
}

export function Choice(props: ChoiceProps) {
  return (
    <Field label={props.label} about={props.about}>
      {(id, aboutId) => (
        <select id={id} value={props.value} aria-describedby={aboutId} onChange={(event) => props.onChange(event.currentTarget.value)}>
          {props.choices.map((choice) => {
            const [value, text] = typeof choice === "string" ? [choice, choice] : choice;
            return (
              <option key={value} value={value}>
                {text}
              </option>
            );
          })}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, value, onChange }: { label: string; value: boolean; onChange: (value: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

/** Reads a JSON object that somebody typed; an empty text is `{}`. */
export function readObject(text: string): Record<string, unknown> {
  if (text.trim() === "") return {};
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("This must be a JSON object: {\"key\": value}.");
  return value as Record<string, unknown>;
}
