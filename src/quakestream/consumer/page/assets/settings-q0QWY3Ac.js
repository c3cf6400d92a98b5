import{A as e,B as t,M as n,k as r,n as i,o as a,r as o,w as s,y as c}from"./parts-BHK5Spwb.js";var l=[2.5,3.5,4.5,5.5,6.5,7.5],u={en:`English`,de:`Deutsch`};function d(d){let{preferences:p,format:m}=d,h=()=>document.querySelector(`#settings`)?.close(),g=(e,n)=>t`<div class="setting"><span>${e}</span>${n}</div>`;return t`<dialog id="settings" aria-labelledby="settings-title" @click=${e=>e.target===e.currentTarget&&h()}>
    <div class="sheet">
      <header>
        <h2 id="settings-title">${c(`settings`)}</h2>
        <button type="button" class="quiet" @click=${h} aria-label=${c(`close`)}>${o(`close`)}</button>
      </header>
      ${g(c(`settings.language`),i(c(`settings.language`),s.map(e=>({value:e,label:u[e]})),p.language,e=>void d.prefer({language:e})))}
      ${g(c(`settings.theme`),i(c(`settings.theme`),r.map(e=>({value:e,label:c(`theme.${e}`)})),p.theme,e=>void d.prefer({theme:e})))}
      <p class="soft small">${c(`settings.places`)}</p>
      ${g(c(`settings.zone`),i(c(`settings.zone`),n.map(e=>({value:e,label:c(`zone.${e}`)})),p.zone,e=>void d.prefer({zone:e})))}
      ${g(c(`settings.units`),i(c(`settings.units`),e.map(e=>({value:e,label:c(`units.${e}`)})),p.units,e=>void d.prefer({units:e})))}
      ${g(c(`settings.announce`),t`<label class="select"
          ><span class="hidden">${c(`settings.announce`)}</span>
          <select @change=${e=>void d.prefer({announce:Number(e.target.value)})}>
            ${[...new Set([...l,p.announce])].sort((e,t)=>e-t).map(e=>t`<option value=${e} ?selected=${e===p.announce}>M ${m.number(e,1)}</option>`)}
          </select></label
        >`)}
      ${a(c(`settings.sound`),p.sound,e=>void d.prefer({sound:e}))}
      ${a(c(`settings.shortcuts`),p.shortcuts,e=>void d.prefer({shortcuts:e}))}
      ${f(d)}
      <details class="keys-help">
        <summary>${c(`keys`)}</summary>
        <dl>
          ${[`1`,`j`,`p`,`f`,`s`,`esc`,`map`].map(e=>t`<dt>${c(`key.${e}`)}</dt><dd>${c(`key.${e}.what`)}</dd>`)}
        </dl>
      </details>
    </div>
  </dialog>`}function f(e){return t`<form class="place-form" @submit=${t=>{t.preventDefault();let n=new FormData(t.target),[r,i]=[Number(n.get(`latitude`)),Number(n.get(`longitude`))];e.setPlace({latitude:r,longitude:i})}}>
    <h3>${o(`place`)} ${c(`place`)}</h3>
    <p>${c(`place.privacy`)}</p>
    <div class="fields">
      <label
        ><span>${c(`latitude`)}</span
        ><input name="latitude" type="number" required min="-90" max="90" step="any" .value=${String(e.place?.latitude??``)}
      /></label>
      <label
        ><span>${c(`longitude`)}</span
        ><input name="longitude" type="number" required min="-180" max="180" step="any" .value=${String(e.place?.longitude??``)}
      /></label>
    </div>
    <div class="line">
      <button class="solid">${c(`place.save`)}</button>
      ${`geolocation`in navigator&&isSecureContext?t`<button type="button" @click=${()=>navigator.geolocation.getCurrentPosition(({coords:t})=>{let n=e=>Math.round(e*100)/100;e.setPlace({latitude:n(t.latitude),longitude:n(t.longitude)})})}>${c(`place.locate`)}</button>`:``}
      ${e.place?t`<button type="button" @click=${()=>e.setPlace(null)}>${c(`place.forget`)}</button>`:``}
    </div>
  </form>`}export{d as n,u as t};