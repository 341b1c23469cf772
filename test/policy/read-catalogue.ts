import { CatalogueWatcher } from '../../src/engine/catalogue/watcher.ts';
import type { EmbeddedServer } from '../../src/engine/embedded/server.ts';
import type { Catalogue } from '../../src/policy/catalogue.ts';
import { analyse } from '../../src/sql/analyse.ts';
import type { Project } from '../engine/project.ts';

/** What a database holds, as the product itself learns of it. */
export async function catalogueOf(server: EmbeddedServer, project: Project): Promise<Catalogue> {
  const watcher = new CatalogueWatcher({
    epoch: () => 0,
    config: { ...server.connection('superuser'), ssl: false },
    read: analyse,
    log: project.log,
  });
  try {
    await watcher.start();
    return watcher.current();
  } finally {
    await watcher.stop();
  }
}
