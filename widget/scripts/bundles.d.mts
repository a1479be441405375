export const root: string;
export function clientBundle(outdir: string): Promise<unknown>;
export function pluginBundle(outfile: string): Promise<unknown>;
export function localeFiles(outdir: string): Promise<void>;
