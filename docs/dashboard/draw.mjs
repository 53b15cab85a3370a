// node draw.mjs DASHBOARD.json PROMETHEUS MINUTES IMAGE.png: render the last minutes of the dashboard.
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import sharp from 'sharp';

const [file, prometheus, minutes, image] = process.argv.slice(2);
const dashboard = JSON.parse(await readFile(file));
const to = Date.now() / 1000;

const { outputFiles } = await build({
  entryPoints: ['dashboard.jsx'],
  bundle: true,
  write: false,
  outdir: 'built',
  jsx: 'automatic',
  minify: true,
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.ttf': 'empty', '.woff': 'dataurl', '.woff2': 'dataurl' },
  logLevel: 'warning',
});
const [script, style] = ['.js', '.css'].map((end) => outputFiles.find(({ path }) => path.endsWith(end)).text);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
try {
  const viewport = { width: 1560, height: 1000 };
  const page = await browser.newPage({ viewport, deviceScaleFactor: 2, timezoneId: 'UTC' });
  page.on('pageerror', (error) => console.error(error));
  // Serve the page and the icons of the package. Forward only requests to Prometheus.
  await page.route('http://dashboard/**', async (route) => {
    const { pathname, search } = new URL(route.request().url());
    if (pathname.startsWith('/api/')) {
      const response = await fetch(prometheus + pathname + search);
      return route.fulfill({ body: await response.text() });
    }
    const icon = pathname.match(/^\/public\/build\/(img\/icons\/.+)$/);
    if (icon) return route.fulfill({ path: `node_modules/@grafana/ui/dist/public/${icon[1]}` });
    return route.fulfill({ contentType: 'text/html', body: '<!doctype html><div id="page"></div>' });
  });
  await page.goto('http://dashboard/');
  await page.addStyleTag({ content: style });
  await page.addScriptTag({ content: script });
  const empty = await page.evaluate((input) => window.draw(input), { dashboard, from: to - 60 * minutes, to });
  await page.locator('#dashboard').waitFor();
  await page.waitForLoadState('networkidle');
  await page.evaluate(() => document.fonts.ready);
  const drawn = await page.locator('#dashboard').screenshot({ animations: 'disabled' });
  await sharp(drawn).png({ palette: true, effort: 10 }).toFile(image);
  if (empty.length) console.error(`No data: ${empty.join(', ')}`);
} finally {
  await browser.close();
}
