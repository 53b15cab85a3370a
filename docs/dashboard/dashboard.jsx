// The page: a dashboard of graphs in rows, from its JSON and what Prometheus answers, with Grafana's own components.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import {
  applyFieldOverrides,
  createDataFrame,
  createTheme,
  dateTime,
  FieldConfigOptionsRegistry,
  FieldType,
  rangeUtil,
  ThemeContext,
  thresholdsOverrideProcessor,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, Icon, PanelChrome, Text, TimeSeries } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

const COLUMNS = 24; // Grafana's grid, with its height of a cell and its space between two
const CELL = 30;
const SPACE = 8;
const WIDTH = 1480;
const SCRAPE_INTERVAL = 15; // seconds; what Grafana takes where a data source says nothing

// What a graph is where its JSON says nothing.
const DEFAULTS = { color: { mode: 'palette-classic' } };
const CUSTOM = { drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, showPoints: 'auto' };
const LEGEND = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] };

const theme = createTheme({ colors: { mode: 'dark' } });

const at = ({ x, y, w, h }) => ({
  left: (x * (WIDTH + SPACE)) / COLUMNS,
  top: y * (CELL + SPACE),
  width: (w * (WIDTH + SPACE)) / COLUMNS - SPACE,
  height: h * (CELL + SPACE) - SPACE,
});

const seconds = (value) => dateTime(value).valueOf() / 1000;

// Grafana's panel draws neither NaN nor infinity; the component alone would draw nothing at all.
const finite = (number) => (Number.isFinite(number) ? number : null);

// The values of the dashboard's variables with "All" selected: all that Prometheus has, or `allValue`.
async function valuesOf({ templating }) {
  const values = {};
  for (const { name, type, query, allValue } of templating.list.filter(({ type }) => type !== 'datasource')) {
    const [, metric, label] = query.match(/^label_values\((\w+)\{?.*, (\w+)\)$/) ?? [];
    if (type !== 'query' || !label) throw new Error(`the variable ${name} cannot be read yet: ${query}`);
    const answer = await fetch(`/api/v1/label/${label}/values?${new URLSearchParams({ 'match[]': metric })}`);
    values[name] = allValue ? [allValue] : (await answer.json()).data;
  }
  return values;
}

// Each panel with the values of its variables. A row that repeats is there once for each value, with the panels below it.
function repeated(panels, values) {
  const all = Object.fromEntries(Object.entries(values).map(([name, each]) => [name, each.join('|')]));
  const first = panels.findIndex(({ repeat }) => repeat);
  const below = first < 0 ? [] : panels.slice(first);
  const height = Math.max(...below.map(({ gridPos: { y, h } }) => y + h)) - below[0]?.gridPos.y;
  const copies = (values[below[0]?.repeat] ?? []).flatMap((value, number) =>
    below.map((panel) => ({
      ...panel,
      id: `${panel.id} ${value}`,
      title: panel.title.replace(`$${below[0].repeat}`, value),
      gridPos: { ...panel.gridPos, y: panel.gridPos.y + number * height },
      variables: { ...all, [below[0].repeat]: value },
    }))
  );
  return [...panels.slice(0, first < 0 ? undefined : first).map((panel) => ({ ...panel, variables: all })), ...copies];
}

function withVariables(expression, variables, step, range) {
  const values = {
    ...variables,
    __interval: `${step}s`,
    __rate_interval: `${Math.max(step + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)}s`,
    __range: `${range}s`,
  };
  return expression.replace(/\$(\w+)|\$\{(\w+)\}/g, (text, plain, braced) => {
    if (!((plain ?? braced) in values)) throw new Error(`${text} is unknown in: ${expression}`);
    return values[plain ?? braced];
  });
}

// A frame for each line, as Grafana's data source makes them.
async function ask({ refId, expr, legendFormat }, variables, timeRange, width) {
  const step = rangeUtil.calculateInterval(timeRange, width, `${SCRAPE_INTERVAL}s`).intervalMs / 1000;
  const [start, end] = [timeRange.from, timeRange.to].map((time) => Math.floor(seconds(time) / step) * step);
  const query = withVariables(expr, variables, step, end - start);
  const answer = await fetch(`/api/v1/query_range?${new URLSearchParams({ query, start, end, step })}`);
  const { status, data, error } = await answer.json();
  if (status !== 'success') throw new Error(`${error} in: ${query}`);
  return data.result.map(({ metric, values }) => {
    const text = legendFormat === '__auto' ? '' : (legendFormat ?? '');
    const legend = text.replace(/{{\s*(\w+)\s*}}/g, (_, label) => metric[label]);
    const times = values.map(([time]) => 1000 * time);
    return createDataFrame({
      refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: times, config: { interval: 1000 * step } },
        {
          name: 'Value',
          type: FieldType.number,
          labels: metric,
          values: values.map(([, value]) => finite(Number(value))),
          config: legend ? { displayNameFromDS: legend } : {},
        },
      ],
    });
  });
}

// Grafana's server registers what a field can be told; here it is whatever this JSON tells.
function registryOf({ defaults, overrides }) {
  const own = Object.keys(defaults).filter((name) => name !== 'custom');
  const custom = Object.keys(defaults.custom).map((name) => `custom.${name}`);
  const overridden = overrides.flatMap(({ properties }) => properties.map(({ id }) => id));
  return new FieldConfigOptionsRegistry(() =>
    [...new Set([...own, ...custom, ...overridden])].map((id) => ({
      id,
      name: id,
      path: id.replace(/^custom\./, ''),
      isCustom: id.startsWith('custom.'),
      process: id === 'thresholds' ? thresholdsOverrideProcessor : (value) => value,
      shouldApply: (field) => field.type === FieldType.number,
      settings: {},
    }))
  );
}

async function read(panel, timeRange) {
  if (panel.type === 'row') return { panel };
  if (panel.type !== 'timeseries') throw new Error(`${panel.title}: a ${panel.type} cannot be drawn yet`);
  const { width } = at(panel.gridPos);
  const frames = (await Promise.all(panel.targets.map((target) => ask(target, panel.variables, timeRange, width)))).flat();
  const { defaults, overrides } = panel.fieldConfig;
  const fieldConfig = { defaults: { ...DEFAULTS, ...defaults, custom: { ...CUSTOM, ...defaults.custom } }, overrides };
  const fieldConfigRegistry = registryOf(fieldConfig);
  const replaceVariables = (text) => text; // our texts have none
  const options = { data: frames, fieldConfig, fieldConfigRegistry, theme, timeZone: 'utc', replaceVariables };
  return { panel, frames: applyFieldOverrides(options) };
}

const Row = ({ panel }) => (
  <div style={{ position: 'absolute', ...at(panel.gridPos), display: 'flex', alignItems: 'center', gap: 8 }}>
    <Icon name="angle-down" />
    <Text element="h5">{panel.title}</Text>
  </div>
);

const Graph = ({ panel, frames, timeRange }) => {
  const { left, top, width, height } = at(panel.gridPos);
  return (
    <div style={{ position: 'absolute', left, top }}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(innerWidth, innerHeight) =>
          frames.length ? (
            <TimeSeries
              frames={frames}
              structureRev={1}
              width={innerWidth}
              height={innerHeight}
              timeRange={timeRange}
              timeZone="utc"
              legend={{ ...LEGEND, ...panel.options?.legend }}
              options={{}}
            />
          ) : (
            <div style={{ height: innerHeight, display: 'grid', placeItems: 'center' }}>
              <Text>{panel.fieldConfig.defaults.noValue ?? 'No data'}</Text>
            </div>
          )
        }
      </PanelChrome>
    </div>
  );
};

async function draw({ dashboard, from, to }) {
  await initPluginTranslations('picture');
  const timeRange = { from: dateTime(1000 * from), to: dateTime(1000 * to), raw: { from: 'now', to: 'now' } };
  const shown = repeated(dashboard.panels, await valuesOf(dashboard));
  const panels = await Promise.all(shown.map((panel) => read(panel, timeRange)));
  const bottom = Math.max(...shown.map(({ gridPos }) => at(gridPos).top + at(gridPos).height));
  const background = theme.colors.background.canvas;
  createRoot(document.getElementById('page')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div id="dashboard" style={{ background, padding: 2 * SPACE, width: WIDTH + 4 * SPACE }}>
        <Text element="h3">{dashboard.title}</Text>
        <div style={{ position: 'relative', height: bottom, marginTop: 2 * SPACE }}>
          {panels.map(({ panel, frames }) =>
            frames ? (
              <Graph key={panel.id} panel={panel} frames={frames} timeRange={timeRange} />
            ) : (
              <Row key={panel.id} panel={panel} />
            )
          )}
        </div>
      </div>
    </ThemeContext.Provider>
  );
  return panels.filter(({ frames }) => frames && !frames.length).map(({ panel }) => panel.title);
}

window.draw = draw;
