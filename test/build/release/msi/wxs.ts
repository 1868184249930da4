/**
 * The installer as a WiX source for wixl 0.101: only what that reads (it passes over unknown attributes with a warning, which
 * build.ts takes for an error); statements.ts adds the rest to the finished tables. Pure.
 */
import type { Installer, OnDemand } from "./description.ts";
import { productVersion, uuidOf } from "./names.ts";

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
}

const element = (name: string, attributes: Readonly<Record<string, string>>, ...children: Element[]): Element => ({
  name,
  attributes,
  children,
});

/** Ids of the tables' rows: letters, digits, `_` and `.`. */
export const fileId = (name: string): string => name.replaceAll(/[^A-Za-z0-9_.]/g, "_");
export const PROGRAM_COMPONENT = "Program";
export const PROGRAM_FOLDER = "ProgramVersion";
/** The folders above it, outermost first. */
export const programFolderIds = ({ programFolder }: Installer): string[] =>
  programFolder.slice(0, -1).map((_, index) => `Program_${index + 1}`);
export const EVENT_MESSAGE_FILE = "EventMessageFile";
export const componentOf = (installer: Installer, name: string): string =>
  name === installer.files[0].name ? PROGRAM_COMPONENT : `Component_${fileId(name)}`;

/** @param sources where wixl finds each file, by name, from the folder that it runs in */
export function wxsOf(installer: Installer, sources: Readonly<Record<string, string>>): string {
  const version = productVersion(installer.version);
  const components = [
    ...installer.files.map(({ name }) => componentOf(installer, name)),
    ...installer.dataFolders.map(({ id }) => `Component_${id}`),
  ];
  const product = element(
    "Product",
    {
      // One for each version, or Windows takes the next for a repair of this.
      ...{ Id: uuidOf("product", version), UpgradeCode: installer.upgradeCode },
      ...{ Name: installer.name, Language: "1033", Version: version, Manufacturer: installer.manufacturer },
    },
    element("Package", { InstallerVersion: "500", Compressed: "yes", InstallScope: "perMachine" }),
    element("Media", { Id: "1", Cabinet: "sallyport.cab", EmbedCab: "yes" }),
    element("MajorUpgrade", { DowngradeErrorMessage: `A newer version of ${installer.name} is installed.` }),
    element("Property", { Id: "ARPNOMODIFY", Value: "1" }),
    element("Property", { Id: "REBOOT", Value: "ReallySuppress" }),
    element(
      "Directory",
      { Id: "TARGETDIR", Name: "SourceDir" },
      element("Directory", { Id: "ProgramFiles64Folder" }, programFolders(installer, sources)),
      element("Directory", { Id: "CommonAppDataFolder" }, ...dataFolders(installer, [])),
    ),
    element("Feature", { Id: "Agent", Level: "1" }, ...components.map((Id) => element("ComponentRef", { Id }))),
  );
  const wix = element("Wix", { xmlns: "http://schemas.microsoft.com/wix/2006/wi" }, product);
  return `<?xml version="1.0" encoding="utf-8"?>\n${written(wix, "")}`;
}

function programFolders(installer: Installer, sources: Readonly<Record<string, string>>): Element {
  const components = installer.files.map(({ name }, index) =>
    component(
      componentOf(installer, name),
      // Another version is another path, and so another component.
      uuidOf("component", ...installer.programFolder, name),
      element("File", { Id: fileId(name), Name: name, Source: sources[name] ?? name, KeyPath: "yes" }),
      ...(index === 0 ? ofTheProgram(installer) : []),
    ),
  );
  const innermost = element("Directory", { Id: PROGRAM_FOLDER, Name: installer.programFolder.at(-1)! }, ...components);
  return programFolderIds(installer).reduceRight(
    (inner, Id, index) => element("Directory", { Id, Name: installer.programFolder[index]! }, inner),
    innermost,
  );
}

function ofTheProgram({ service, onDemand, eventSource }: Installer): Element[] {
  const source = {
    Root: "HKLM",
    Key: `SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\${eventSource.name}`,
  };
  return [
    ...serviceElements(service, "auto"),
    ...serviceElements(onDemand, "demand"),
    // statements.ts writes the message file's value: wixl drops that it is expandable.
    element("RegistryValue", {
      Id: EVENT_MESSAGE_FILE,
      ...source,
      Name: "EventMessageFile",
      Type: "string",
      Value: "-",
    }),
    element("RegistryValue", { Id: "TypesSupported", ...source, Name: "TypesSupported", Type: "integer", Value: "7" }),
  ];
}

function serviceElements(service: OnDemand, start: "auto" | "demand"): Element[] {
  const { name, displayName, description, account } = service;
  return [
    element("ServiceInstall", {
      ...{ Id: name, Name: name, DisplayName: displayName, Description: description },
      ...{ Type: "ownProcess", Start: start, ErrorControl: "normal", Vital: "yes" },
      ...{ Account: account, Arguments: service.arguments },
    }),
    element("ServiceControl", { Id: name, Name: name, Stop: "both", Remove: "uninstall", Wait: "yes" }),
  ];
}

/** Those directly below a path, each with those below it. */
function dataFolders(installer: Installer, above: readonly string[]): Element[] {
  return installer.dataFolders
    .filter(({ path }) => path.length === above.length + 1 && above.every((part, at) => path[at] === part))
    .map(({ id, path }) =>
      element(
        "Directory",
        { Id: id, Name: path.at(-1)! },
        component(`Component_${id}`, uuidOf("component", "data", ...path), element("CreateFolder", {})),
        ...dataFolders(installer, path),
      ),
    );
}

const component = (Id: string, Guid: string, ...children: Element[]): Element =>
  element("Component", { Id, Guid, Win64: "yes" }, ...children);

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function written({ name, attributes, children }: Element, indent: string): string {
  const said = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${value.replaceAll(/[&<>"]/g, (sign) => ESCAPES[sign]!)}"`)
    .join("");
  if (children.length === 0) return `${indent}<${name}${said}/>\n`;
  return `${indent}<${name}${said}>\n${children.map((child) => written(child, `${indent}  `)).join("")}${indent}</${name}>\n`;
}
