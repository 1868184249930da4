/** The sample: US flights of January 2001 (vega-datasets, from the Bureau of Transportation Statistics). */
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";

/** The data set's own Parquet file; the package exports only its code. */
export const FLIGHTS_FILE: string = join(
  dirname(findPackageJSON("vega-datasets", import.meta.url)!),
  "data/flights-3m.parquet",
);

export interface Flight {
  readonly id: number;
  /** Milliseconds since 1970, without a zone. */
  readonly departedAtMs: number;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** The first `count` flights in the file's order, numbered from 1. */
export async function* readFlights(count: number): AsyncGenerator<Flight[]> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  try {
    const result = await connection.stream(
      `SELECT epoch_ms(date), delay::INT, distance::INT, origin, destination FROM read_parquet('${FLIGHTS_FILE}') LIMIT ${count}`,
    );
    let id = 0;
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
      yield chunk.getRows().map(([ms, delay, distance, origin, destination]) => {
        id += 1;
        return {
          id,
          departedAtMs: Number(ms),
          delay: Number(delay),
          distance: Number(distance),
          origin: String(origin),
          destination: String(destination),
        };
      });
    }
  } finally {
    connection.closeSync();
  }
}
